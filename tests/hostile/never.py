"""What must never come of any bytes, looked at after each of them.

No 5xx of ours, no hang, nothing left in the bucket, no harm to another request, on this connection
or beside it, and no more in the log than a few lines that tell nothing secret.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from uuid import uuid4

from gateway.store.s3 import S3Store
from gateway.uploads import keys
from tests.flows.raw import FORM_TYPE, form, head
from tests.hostile.doors import Door
from tests.hostile.talk import PATIENCE, Line, Reply
from tests.servers.sandbox import TOKENS

TOKEN = TOKENS["alice"]
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"
PATH = "/v1/channels/702/messages"
COMPANY_PATH = "/v1/channels/703/messages"
CANARY = b"canary-5e1f"
"""Stands in the bodies of hostile requests, and must not be logged."""

_LOOK = head("/gateway/healthz", method="GET")
_LINES_PER_REQUEST = 3
_FAULTS = (b"Traceback", b"request.failed", b"was never retrieved", b"was never awaited")
_OF_NO_UPLOAD = (keys.SWEEP, keys.CLAIMS)


@dataclass(frozen=True)
class Watch:
    """Looks at a gateway from before a hostile request to after it."""

    door: Door
    store: S3Store

    async def survives(
        self, pieces: Sequence[bytes], *, pause: float = 0.0, allowed: frozenset[int] = frozenset()
    ) -> Reply | None:
        """The answer to one request; as `survive_all`."""
        [reply] = await self._look_around([self._talk(pieces, pause)], allowed)
        return reply

    async def survive_all(
        self, requests: Sequence[bytes], *, allowed: frozenset[int] = frozenset()
    ) -> list[Reply | None]:
        """The answers to requests sent at once, each on a connection of its own.

        None where the connection was closed without one. `allowed` are the 5xx that the upstream
        is to blame for.
        """
        return await self._look_around([self._talk([request]) for request in requests], allowed)

    async def _look_around(
        self, talks: Sequence[Coroutine[None, None, Reply | None]], allowed: frozenset[int]
    ) -> list[Reply | None]:
        """See to it that nothing but the answers comes of the requests, nor is left of them."""
        logged = self.door.log.stat().st_size
        before = await self._kept()
        company, *replies = await asyncio.gather(self._accompany(), *talks)
        accepted = _accepted(company)
        for reply in replies:
            if reply is not None:
                assert reply.status < 500 or reply.status in allowed | {503}, reply
                accepted |= _accepted(reply)
        await self._another()
        await self._leaves_nothing(before, accepted)
        self._says_little(logged, 2 * len(talks) + 2)
        return replies

    async def _talk(self, pieces: Sequence[bytes], pause: float = 0.0) -> Reply | None:
        async with Line.open(self.door.url) as line:
            await line.send(pieces, pause)
            reply = await line.reply()
            if reply is None:
                return None
            if reply.closes:
                assert await line.closed(), "more came after the last answer"
                return reply
            await line.send([_LOOK])
            following = await line.reply()
            assert following is None or following.status == 200, following
            return reply

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
        objects = {info.key async for info in self.store.list("")}
        unfinished = {each.key async for each in self.store.list_multipart_uploads("")}
        return objects | {f"unfinished {key}" for key in unfinished}

    async def _leaves_nothing(self, before: set[str], accepted: set[str]) -> None:
        async with asyncio.timeout(PATIENCE):
            while left := {
                key
                for key in (await self._kept()) - before
                if keys.id_of(key) not in accepted and not key.startswith(_OF_NO_UPLOAD)
            }:
                await asyncio.sleep(0.05)
        assert not left

    def _says_little(self, since: int, requests: int) -> None:
        with self.door.log.open("rb") as log:
            log.seek(since)
            said = log.read()
        assert said.count(b"\n") <= _LINES_PER_REQUEST * requests, said.decode()
        assert TOKEN.encode() not in said
        assert CANARY not in said
        for fault in _FAULTS:
            assert fault not in said, said.decode()


def _accepted(reply: Reply | None) -> set[str]:
    if reply is None or reply.status not in range(200, 300):
        return set()
    return {reply.header("upload-id") or str(uuid4())}
