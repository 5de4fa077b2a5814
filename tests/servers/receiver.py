"""A receiver of webhooks: a real HTTP server, which answers as a test has it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

from gateway.stack.ports import HOST
from tests.flows.client import PATIENCE

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD/f8q3Ne+OFk="
HOOK_PATH = "/hooks/uploads"


@dataclass(frozen=True)
class Received:
    """One request."""

    headers: Mapping[str, str]
    body: bytes
    path: str

    def verified(self, secret: str = SECRET) -> dict[str, Any]:
        """The message, if its signature is that of the secret."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        message: dict[str, Any] = Webhook(secret).verify(self.body, headers)
        return message


Answers = Callable[[Received], Awaitable[web.StreamResponse]]


async def accepted(_: Received) -> web.StreamResponse:
    return web.Response(status=204)


def status(code: int, **headers: str) -> Answers:
    """Answers of this status, and headers with `_` for `-`."""

    async def answer(_: Received) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text="no\nthanks", headers=named)

    return answer


class Receiver:
    """What came, in its order; `answer` may be replaced at any time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}{HOOK_PATH}"
        self.received: list[Received] = []
        self.answer: Answers = accepted
        self._changed = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        found = Received(dict(request.headers), await request.read(), request.path)
        async with self._changed:
            self.received.append(found)
            self._changed.notify_all()
        return await self.answer(found)

    async def wait_for(self, count: int, patience: float = PATIENCE) -> list[Received]:
        """All requests so far, once at least `count` have come."""
        async with asyncio.timeout(patience), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def wait_for_ids(self, ids: set[str], patience: float = PATIENCE) -> None:
        """Wait until each of these messages has come."""
        async with asyncio.timeout(patience), self._changed:
            await self._changed.wait_for(lambda: ids <= self.ids)

    @property
    def ids(self) -> set[str]:
        """The ids of the messages that came."""
        return {each.headers["webhook-id"] for each in self.received}


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver, on a free port or on this one."""
    receiver = Receiver(port)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        receiver.port = runner.addresses[0][1]
        receiver.url = f"http://{HOST}:{receiver.port}{HOOK_PATH}"
        yield receiver
    finally:
        await runner.cleanup()
