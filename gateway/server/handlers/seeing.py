"""What an upload's subject sees of it, now or as soon as it has changed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, NamedTuple

from aiohttp import web

from gateway.auth.principal import Principal
from gateway.errors import ObjectNotFound, StoreUnavailable, UploadNotFound
from gateway.limits.listeners import POLL
from gateway.resumable.session import Phase
from gateway.resumable.sessions import Kept
from gateway.server.admission.admit import authenticate, check_scopes
from gateway.server.admission.charge import charge
from gateway.server.fields.prefer import preference
from gateway.server.fields.ranges import is_named
from gateway.server.services import SERVICES, Services
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.ids import parse_id
from gateway.uploads.lifecycle import is_end
from gateway.uploads.record import State, Upload
from gateway.uploads.resource import resource_of

log = get_logger(__name__)

_UNHEARD_SECONDS: Final = 2.0
_HEARD_SECONDS: Final = 15.0


class Seen(NamedTuple):
    """An upload at one time; `kept` is its session, if more of it is to come.

    `version` differs from one content to the next; usually it is the length of the history.
    """

    members: dict[str, object]
    version: str
    is_end: bool
    since: datetime
    kept: Kept | None = None

    @property
    def etag(self) -> str:
        """The version as an entity tag."""
        return f'"{self.version}"'


Look = Callable[[], Awaitable[Seen]]


class Poll(NamedTuple):
    """What became of a request for an upload: `is_known` if its client has that version.

    `applied` is what to say in `Preference-Applied`.
    """

    seen: Seen
    is_known: bool
    applied: str | None


async def reader(request: web.Request) -> Principal:
    """The caller, if the token and the quota allow the request."""
    services = request.app[SERVICES]
    principal = await authenticate(request, services)
    await charge(request, principal)
    check_scopes(principal, services.routes.scopes_of_own(request.rel_url.raw_path))
    return principal


def id_in_path(request: web.Request) -> str:
    """The id in the path. Raises UploadNotFound if it is not one."""
    if (upload_id := parse_id(request.match_info["id"])) is None:
        raise UploadNotFound("no such upload")
    return upload_id


async def see(services: Services, subject: str, upload_id: str) -> Seen:
    """The subject's upload, also while more of it is to come.

    Raises UploadNotFound, also for another subject's upload, and StoreUnavailable.
    """
    try:
        return await see_upload(services, subject, upload_id)
    except UploadNotFound:
        if not services.settings.resumable:
            raise
    return await _see_session(services, subject, upload_id)


async def see_upload(services: Services, subject: str, upload_id: str) -> Seen:
    """The subject's upload, if its body has ended. Raises what `see` raises."""
    upload = await services.backends.ledger.find(upload_id)
    if upload.subject != subject:
        raise UploadNotFound("no such upload")
    members, version = resource_of(upload), str(len(upload.history))
    if upload.removed is not None:
        version += "-removed"
    elif not await _has_file(upload, services):
        members["fileMissing"] = True
        version += "-missing"
    return Seen(members, version, is_end(upload.state), upload.since)


async def _has_file(upload: Upload, services: Services) -> bool:
    """Whether the file of a registered upload is there."""
    if upload.state is not State.REGISTERED:
        return True
    try:
        await services.backends.store.head(keys.incoming(upload.id))
    except ObjectNotFound:
        return False
    except StoreUnavailable as error:
        log.warning("upload.not_seen", error=repr(error))
    return True


async def _see_session(services: Services, subject: str, upload_id: str) -> Seen:
    kept = await services.sessions.read(upload_id)
    session, upload = kept.session, kept.session.upload
    if upload.subject != subject:
        raise UploadNotFound("no such upload")
    place = "complete" if session.phase is Phase.COMPLETE else str(session.offset)
    version = f"{len(upload.history)}-{place}"
    return Seen(resource_of(upload), version, is_end=False, since=upload.since, kept=kept)


async def poll(request: web.Request, subject: str, upload_id: str, look: Look) -> Poll:
    """The upload; or, if the client has that version and prefers to wait, the next version of it.

    Raises what `look` raises, and TooManyListeners, TooManyListenersOfSubject.
    """
    services = request.app[SERVICES]
    tags = request.headers.getall("If-None-Match", [])
    wanted = preference(request.headers.getall("Prefer", []), 0.0)
    if not tags or wanted.wait <= 0:
        seen = await look()
        return Poll(seen, bool(tags) and is_named(tags, seen.etag), None)
    clock = asyncio.get_running_loop().time
    with (
        services.listeners.hold(subject, POLL),
        services.changes.watch(subject, upload_id) as watching,
    ):
        deadline = clock() + wanted.wait
        seen = await look()
        while is_named(tags, seen.etag) and (left := deadline - clock()) > 0 and waits(request):
            await watching.wait(min(left, look_seconds(services, subject)))
            seen = await look_again(look, seen)
    return Poll(seen, is_named(tags, seen.etag), wanted.applied)


def waits(request: web.Request) -> bool:
    """Whether the client is connected, and may go on waiting."""
    connected = request.transport is not None and not request.transport.is_closing()
    return connected and not request.app[SERVICES].drain.closing


def look_seconds(services: Services, subject: str) -> float:
    """Seconds after which a waiting request looks by itself; fewer if notices may not arrive."""
    return _HEARD_SECONDS if services.changes.hears_of(subject) else _UNHEARD_SECONDS


async def look_again(look: Look, seen: Seen) -> Seen:
    """The upload as it is now, or as it was seen last if the store does not answer."""
    try:
        return await look()
    except StoreUnavailable as error:
        log.warning("upload.not_seen", error=repr(error))
        return seen
