"""What must never come of any bytes, looked at after each of them.

No 5xx of ours, no hang, nothing left in the bucket, no memory kept, no harm to another request, on
this connection or beside it, and no more in the log than a few lines that tell nothing secret.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from uuid import UUID

import psutil

from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.record import State, from_json
from tests.flows.raw import FORM_TYPE, form, head
from tests.hostile.doors import Door
from tests.hostile.talk import PATIENCE, WORKED_ON, Hangs, Line, Reply
from tests.servers.sandbox import TOKENS

TOKEN = TOKENS["alice"]
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"
PATH = "/v1/channels/702/messages"
COMPANY_PATH = "/v1/channels/703/messages"
CANARY = b"canary-5e1f"
"""Stands in the bodies of hostile requests, and must not be logged."""

_PROBLEM = "application/problem+json; charset=utf-8"
_LOOK = head("/gateway/healthz", method="GET")
_LINES_PER_REQUEST = 3
_MEMORY = 64 * 1024 * 1024
"""Bytes by which a gateway may grow in one look: buffers of all the uploads that come at once."""
_MOMENT = 0.3
"""Seconds in which whatever has an answer at all gets it, as a rule."""
_REFUSING = frozenset({503})
"""What is no fault of ours: too much at once."""
_FAULTS = (b"Traceback", b"request.failed", b"was never retrieved", b"was never awaited")
_OF_WHOLE_UPLOADS = {State.REGISTERED, State.AUDITED, State.FLAGGED}
_PREFIXES = (keys.INCOMING, keys.PENDING, keys.RECORDS, keys.DEAD)
_LOOKED_AT_BEFORE = 120
"""Seconds after whose end an upload has been seen by an earlier look, so it is listed no more."""


@dataclass(frozen=True)
class Watch:
    """Looks at a gateway from before a hostile request to after it."""

    door: Door
    store: S3Store
    accepted: set[str]
    """Ids of all uploads that were taken in this session: their records may come at any time."""

    async def survives(
        self, pieces: Sequence[bytes], *, pause: float = 0.0, allowed: frozenset[int] = frozenset()
    ) -> Reply | None:
        """The answer to one request; as `survive_all`."""
        [reply] = await self._look_around([self._talk(pieces, pause)], allowed)
        return reply

    async def survive_all(
        self,
        requests: Sequence[bytes],
        *,
        unfinished: Sequence[bytes] = (),
        allowed: frozenset[int] = frozenset(),
    ) -> list[Reply | None]:
        """The answers to requests sent at once, each on a connection of its own.

        Those that are among the `unfinished` have to be answered before their end.
        None where the connection was closed without one. `allowed` are the 5xx that the upstream
        is to blame for.
        """
        talks = [self._talk([request], whole=request not in unfinished) for request in requests]
        return await self._look_around(talks, allowed)

    async def survive_pieces(
        self, requests: Sequence[Sequence[bytes]], pause: float
    ) -> list[Reply | None]:
        """The answers to requests sent at once, each in pieces; as `survive_all`."""
        return await self._look_around(
            [self._talk(pieces, pause) for pieces in requests], frozenset()
        )

    async def survive_bytes(self, streams: Sequence[bytes]) -> None:
        """Any bytes, sent at once by clients who then go away: what they are answered is fine.

        Among them may be whole uploads whose answer nobody stays to hear.
        """
        await self._look_around(
            [self._pour(stream) for stream in streams], frozenset(), unheard=True
        )

    async def survive_aborts(self, streams: Sequence[bytes]) -> None:
        """Bytes after which the client resets the connection."""
        await self._look_around([self._abort(stream) for stream in streams], frozenset())

    def heard(self, reply: Reply | None) -> None:
        """Let what was accepted by an answer that was read elsewhere be kept."""
        self.accepted.update(_accepted(reply))

    async def _look_around(
        self,
        talks: Sequence[Coroutine[None, None, Reply | None]],
        allowed: frozenset[int],
        *,
        unheard: bool = False,
    ) -> list[Reply | None]:
        """See to it that nothing but the answers comes of the requests, nor is left of them."""
        logged = self.door.log.stat().st_size
        memory = self._memory()
        began = inf if unheard else time.time()
        company, *replies = await asyncio.gather(self._accompany(), *talks)
        self.accepted.update(_accepted(company))
        for reply in replies:
            if reply is not None:
                assert reply.status < 500 or reply.status in allowed | _REFUSING, reply
                self.accepted.update(_accepted(reply))
        await self._another()
        await self._leaves_nothing(began)
        assert self._memory() <= memory + _MEMORY
        self._says_little(logged, 2 * len(talks) + 2)
        return replies

    async def _talk(
        self, pieces: Sequence[bytes], pause: float = 0.0, *, whole: bool = True
    ) -> Reply | None:
        async with Line.open(self.door.url) as line:
            await line.send(pieces, pause)
            try:
                reply = await line.reply(WORKED_ON)
            except Hangs:
                raise Hangs(pieces[0][:200]) from None
            if reply is None:
                return None
            if reply.closes or not whole:
                await line.sent()
                if not whole:
                    line.end()
                assert await line.closed(), f"{reply}: more came after the last answer"
                return reply
            await line.send([_LOOK])
            following = await line.reply()
            assert following is None or following.status == 200, following
            return reply

    async def _pour(self, stream: bytes) -> Reply | None:
        async with Line.open(self.door.url) as line:
            await line.send([stream])
            reply = None
            with suppress(Hangs):  # it may be the beginning of something
                reply = await line.reply(_MOMENT)
            await line.sent()
            line.end()
            while (more := await line.reply()) is not None:
                assert more.status < 500 or more.status in _REFUSING, more
                self.accepted.update(_accepted(more))
            return reply

    async def _abort(self, stream: bytes) -> None:
        async with Line.open(self.door.url) as line:
            await line.send([stream])
            await line.sent()
            line.reset()

    async def _accompany(self) -> Reply | None:
        """A well-formed upload beside them."""
        async with Line.open(self.door.url) as line:
            body = form(b"well-formed")
            length = f"Content-Length: {len(body)}"
            wait = "Prefer: respond-async"
            await line.send([head(COMPANY_PATH, AUTHORIZATION, FORM_TYPE, length, wait) + body])
            reply = await line.reply()
        assert reply is not None
        assert reply.status in {200, 202}, reply
        return reply

    async def _another(self) -> None:
        """The next request, on a connection of its own."""
        async with Line.open(self.door.url) as line:
            await line.send([_LOOK])
            reply = await line.reply()
        assert reply is not None
        assert reply.status == 200

    async def _kept(self) -> set[str]:
        since = _id_at(time.time() - _LOOKED_AT_BEFORE)
        objects = {
            info.key
            for prefix in _PREFIXES
            async for info in self.store.list(prefix, prefix + since)
        }
        unfinished = {each.key async for each in self.store.list_multipart_uploads("")}
        return objects | {f"unfinished {key}" for key in unfinished}

    async def _leaves_nothing(self, unheard_until: float) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while left := await self._kept_of_others():
            if whole := await self._whole(left, unheard_until):
                self.accepted.update(whole)
            elif asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.05)
            else:
                self.accepted.update(keys.id_of(key) for key in left)  # said once is enough
                break
        assert not left

    async def _whole(self, left: set[str], until: float) -> set[str]:
        """Ids of the uploads begun by then that came to an end which only whole ones have.

        Only Redis knows of a relayed upload until its audit: its record may come in a later look.
        """
        whole = set()
        for key in left:
            if key.startswith(keys.RECORDS) and _begun(keys.id_of(key)) < until:
                upload = from_json((await self.store.get(key)).content)
                if upload.state in _OF_WHOLE_UPLOADS:
                    whole.add(keys.id_of(key))
        return whole

    async def _kept_of_others(self) -> set[str]:
        return {key for key in await self._kept() if keys.id_of(key) not in self.accepted}

    def _memory(self) -> int:
        """Bytes that the gateway holds."""
        held: int = psutil.Process(self.door.pid).memory_info().rss
        return held

    def _says_little(self, since: int, requests: int) -> None:
        with self.door.log.open("rb") as log:
            log.seek(since)
            said = log.read()
        assert said.count(b"\n") <= _LINES_PER_REQUEST * requests, said.decode()
        assert TOKEN.encode() not in said
        assert CANARY not in said
        faults = [line for line in said.splitlines() if any(fault in line for fault in _FAULTS)]
        assert not faults


def _begun(upload_id: str) -> float:
    """Its time in Unix seconds: the first 48 bits of a UUIDv7 are milliseconds (RFC 9562 § 5.7)."""
    return (UUID(upload_id).int >> 80) / 1000


def _id_at(seconds: float) -> str:
    """What the id of an upload that began at that time begins with."""
    return str(UUID(int=int(seconds * 1000) << 80))[:13]


def _accepted(reply: Reply | None) -> set[str]:
    """The id of an upload that was taken, whatever the upstream said to it later."""
    if reply is None or reply.header("content-type") == _PROBLEM:
        return set()
    return {upload_id} if (upload_id := reply.header("upload-id")) else set()
