"""Server-sent events: the changes of one upload, or of all uploads of a subject."""

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final

from aiohttp import web
from redis.exceptions import RedisError

from gateway.auth.principal import Principal
from gateway.errors import QueueUnavailable, StoreUnavailable, UploadNotFound
from gateway.limits.acknowledgement import limit_unacknowledged
from gateway.limits.listeners import STREAM
from gateway.records.changes import Watching
from gateway.server.connection.timeouts import notice_unread
from gateway.server.fields import server_sent
from gateway.server.handlers.seeing import (
    Seen,
    id_in_path,
    look_again,
    look_seconds,
    reader,
    see,
    see_upload,
    waits,
)
from gateway.server.services import SERVICES, Services
from gateway.telemetry import bind_ids, get_logger
from gateway.uploads.ids import parse_id

log = get_logger(__name__)

_STATE: Final = "state"
_END: Final = "end"
_HEARTBEAT_SECONDS: Final = 15.0
_CALM_SECONDS: Final = 60.0
"""Seconds after which a stream looks by itself at a subject without an upload in progress."""

_LONGEST: Final = 3600.0
"""Seconds after which a client has to connect again, with a token that is verified again."""

_PAGE: Final = 25
"""The newest uploads of a subject that are looked at if no notice of them comes."""


class _Over(Exception):
    """The stream has ended, and its client may connect again."""


def ends_at(now: float, expires: float | None) -> float:
    """When a stream that begins `now` ends at the latest (both in seconds since the epoch)."""
    latest = now + _LONGEST
    return latest if expires is None else min(latest, expires)


class Stream:
    """An answer that consists of events."""

    def __init__(self, request: web.Request, principal: Principal) -> None:
        self.response = web.StreamResponse(headers=server_sent.HEADERS)
        self._request = request
        self._services = request.app[SERVICES]
        self._subject = principal.subject
        self._until = ends_at(time.time(), principal.expires)
        self._written_at = 0.0

    async def open(self) -> None:
        """Send the head of the answer. Raises _Over if the client is gone."""
        if (transport := self._request.transport) is None:
            raise _Over
        notice_unread(transport)
        limit_unacknowledged(transport, self._services.settings.answer_timeout)
        self.response.force_close()  # other answers may wait in larger buffers
        try:
            await self.response.prepare(self._request)
        except ConnectionError:
            raise _Over from None
        await self._write(server_sent.OPENING)

    async def send(self, kind: str, event_id: str, members: dict[str, object]) -> None:
        """Send an event. Raises _Over if the client is gone."""
        await self._write(server_sent.event(kind, event_id, members))

    async def wait(self, watching: Watching, *, calm: bool = False) -> set[str]:
        """The ids of uploads that have changed; none if the caller should look by itself.

        `calm`: no upload is in progress, so the caller need not look often. Raises _Over if the
        process drains, the token has expired, or the client is gone.
        """
        since = time.monotonic()
        while True:
            ids = await watching.wait(self._patience(since, calm=calm))
            now = time.monotonic()
            if time.time() >= self._until or not waits(self._request):
                raise _Over
            if now - self._written_at >= _HEARTBEAT_SECONDS:
                await self._write(server_sent.HEARTBEAT)
            if ids is not None or now >= self._looks_at(since, calm=calm):
                return ids or set()

    def _looks_at(self, since: float, *, calm: bool) -> float:
        """When to look by itself, if nothing was heard `since` then (`time.monotonic`)."""
        if calm and self._services.changes.hears_of(self._subject):
            return since + _CALM_SECONDS
        return since + look_seconds(self._services, self._subject)

    def _patience(self, since: float, *, calm: bool) -> float:
        now = time.monotonic()
        to_look = self._looks_at(since, calm=calm) - now
        to_heartbeat = self._written_at + _HEARTBEAT_SECONDS - now
        to_end = self._until - time.time()
        return max(0.0, min(to_look, to_heartbeat, to_end))

    async def _write(self, data: bytes) -> None:
        self._written_at = time.monotonic()
        try:
            await self.response.write(data)
        except ConnectionError:
            raise _Over from None


async def stream_upload(request: web.Request) -> web.StreamResponse:
    """`GET /gateway/uploads/{id}/events`: each state of one upload, until it has ended.

    A client that has seen the end gets 204, after which browsers do not connect again.
    """
    services = request.app[SERVICES]
    principal = await reader(request)
    subject, upload_id = principal.subject, id_in_path(request)
    bind_ids(upload_id=upload_id)
    look = partial(see, services, subject, upload_id)
    known = request.headers.get("Last-Event-ID")
    if known is not None:  # before it needs a place, or it would come back for one
        seen = await look()
        if seen.is_end and known == seen.version:
            return web.Response(status=204)
    with (
        services.listeners.hold(subject, STREAM),
        services.changes.watch(subject, upload_id) as watching,
    ):
        seen = await look()
        stream = Stream(request, principal)
        with suppress(_Over):
            await stream.open()
            while True:
                if seen.version != known:
                    await stream.send(_STATE, seen.version, seen.members)
                    known = seen.version
                if seen.is_end:
                    await stream.send(_END, seen.version, _end_of(seen))
                    break
                await stream.wait(watching)
                seen = await look_again(look, seen)
    return stream.response


def _end_of(seen: Seen) -> dict[str, object]:
    return {name: seen.members[name] for name in ("id", "state")}


async def stream_uploads(request: web.Request) -> web.StreamResponse:
    """`GET /gateway/events`: the states of all uploads of the subject, for as long as it reads."""
    services = request.app[SERVICES]
    principal = await reader(request)
    subject = principal.subject
    with services.listeners.hold(subject, STREAM), services.changes.watch(subject) as watching:
        feed = _Feed(services, subject)
        try:
            first = await feed.begin(request.headers.get("Last-Event-ID"))
        except RedisError as error:
            raise QueueUnavailable("the list of uploads cannot be read now") from error
        stream = Stream(request, principal)
        with suppress(_Over):
            await stream.open()
            await _tell(stream, first)
            while True:
                ids = await stream.wait(watching, calm=feed.is_calm)
                await _tell(stream, await feed.news(ids))
    return stream.response


async def _tell(stream: Stream, news: Iterable[Seen]) -> None:
    for seen in news:
        await stream.send(_STATE, f"{seen.members['id']}:{seen.version}", seen.members)


class _Feed:
    """What a client has received about a subject's uploads."""

    def __init__(self, services: Services, subject: str) -> None:
        self._services = services
        self._subject = subject
        self._known: dict[str, str] = {}
        """Versions of the newest uploads, and of those that have not ended."""
        self._open: set[str] = set()
        """Uploads that have not ended."""

    @property
    def is_calm(self) -> bool:
        """Whether no upload is in progress, as far as is known."""
        return not self._open

    async def begin(self, last: str | None) -> list[Seen]:
        """What a client is sent first: the uploads in progress, and the changes since `last`.

        Raises RedisError.
        """
        since = await self._time_of(last) if last is not None else None
        seen = await self._look_at(await self._newest())
        return [
            each
            for each in seen
            if (not each.is_end or (since is not None and each.since >= since))
            and f"{each.members['id']}:{each.version}" != last
        ]

    async def news(self, ids: set[str]) -> list[Seen]:
        """What has changed of the uploads; of all that may have changed, if there are no `ids`."""
        if ids:
            return await self._look_at(sorted(ids))
        try:
            newest = await self._newest()
        except RedisError as error:
            log.warning("record.redis_unavailable", error=repr(error))
            return await self._look_at(sorted(self._open))
        self._known = {
            each: version
            for each, version in self._known.items()
            if each in self._open or each in newest
        }
        fresh = [each for each in newest if each not in self._known or each in self._open]
        return await self._look_at(sorted(self._open.union(fresh)))

    async def _newest(self) -> list[str]:
        """Oldest first."""
        ledger = self._services.backends.ledger
        return sorted(await ledger.ids_of_subject(self._subject, None, _PAGE))

    async def _look_at(self, ids: Iterable[str]) -> list[Seen]:
        """Those that are in another state than when they were looked at before."""
        found = []
        for upload_id in ids:
            try:
                seen = await see_upload(self._services, self._subject, upload_id)
            except UploadNotFound:
                self._open.discard(upload_id)
                continue
            except StoreUnavailable as error:
                log.warning("upload.not_seen", error=repr(error))
                continue
            (self._open.discard if seen.is_end else self._open.add)(upload_id)
            if self._known.get(upload_id) != seen.version:
                self._known[upload_id] = seen.version
                found.append(seen)
        return found

    async def _time_of(self, event_id: str) -> datetime | None:
        """When the state was reached that an event was about; None if that is not known."""
        upload_id, _, version = event_id.partition(":")
        length = version.partition("-")[0]
        if parse_id(upload_id) is None or not length.isdecimal():
            return None
        try:
            upload = await self._services.backends.ledger.find(upload_id)
        except (UploadNotFound, StoreUnavailable):
            return None
        if upload.subject != self._subject or not 0 < int(length) <= len(upload.history):
            return None
        return upload.history[int(length) - 1].at
