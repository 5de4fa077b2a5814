"""An upstream that records what it receives; a real HTTP server, on a loop in a thread."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from gateway.stack.ports import HOST

ANSWER = b'{"id": 1, "file": {"type": "HOSTED"}}'
EARLY_PATH = "/v1/channels/429/messages"
CHUNKED_PATH = "/v1/channels/200/messages"
_VARIES = {"host", "content-length", "transfer-encoding", "accept-encoding"}
"""Headers that concern only the gateway and the upstream."""


PROMISES = {
    "Upload-Offset": "0",
    "Upload-Complete": "?0",
    "Upload-Incomplete": "?1",
    "Upload-Length": "100",
    "Upload-Limit": "max-size=100",
    "Upload-Draft-Interop-Version": "8",
    "Upload-Expires": "Wed, 25 Jun 2036 16:00:00 GMT",
    "Upload-Metadata": "filename YQ==",
    "Upload-Anything": "1",
    "Tus-Resumable": "1.0.0",
    "Tus-Version": "1.0.0",
    "Tus-Extension": "creation",
    "Tus-Max-Size": "100",
    "tus_checksum_algorithm": "sha1",
}


@dataclass(frozen=True)
class Seen:
    """One whole request."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Recorder:
    """What came, in its order."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.url = ""
        self.more: Mapping[str, str] = {}
        """Headers that its answers have as well."""

    def take(self) -> list[Seen]:
        """What has arrived since the last call."""
        seen, self.seen = self.seen, []
        return seen

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == EARLY_PATH:
            return web.Response(
                status=429, body=ANSWER, headers={"Retry-After": "7", "Server": "x"}
            )
        body = await request.read()
        headers = tuple(
            sorted(
                (name.lower(), value)
                for name, value in request.headers.items()
                if name.lower() not in _VARIES
            )
        )
        self.seen.append(Seen(request.method, request.raw_path, headers, body))
        usual = {"Content-Type": "application/json", "Server": "x"}
        response = web.StreamResponse(headers={**usual, **self.more})
        if request.path != CHUNKED_PATH:
            response.content_length = len(ANSWER)
        await response.prepare(request)
        await response.write(ANSWER[:10])
        await response.write(ANSWER[10:])
        await response.write_eof()
        return response


class Holding(Recorder):
    """A ChatKitty that answers questions about unknown tokens only when the test allows it."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0
        self.go_on = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "stranger" not in request.headers["Authorization"]:
            return await super().answer(request)
        self.held += 1
        while not self.go_on:
            await asyncio.sleep(0.01)
        return web.Response(status=401)


class Promising(Recorder):
    """A ChatKitty that can resume uploads (tus, IETF draft), and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.more = PROMISES

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        interim = "HTTP/1.1 104 Upload Resumption Supported\r\nLocation: /v1/uploads/1\r\n\r\n"
        request.transport.write(interim.encode())
        return await super().answer(request)


class Stumbling(Recorder):
    """A ChatKitty that fails over some tokens, and knows all others."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "odd" in request.headers["Authorization"]:
            return web.Response(status=500)
        return await super().answer(request)


@contextmanager
def recording(
    tls: ssl.SSLContext | None = None, recorder: Recorder | None = None
) -> Iterator[Recorder]:
    """The running recorder, or one that answers in a way of its own."""
    recorder = recorder or Recorder()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    app = web.Application(client_max_size=1024**3)
    app.router.add_route("*", "/{path:.*}", recorder.answer)
    runner = web.AppRunner(app, handler_cancellation=True)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0, ssl_context=tls)
        await site.start()
        scheme = "https" if tls is not None else "http"
        recorder.url = f"{scheme}://{HOST}:{runner.addresses[0][1]}"

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result()
        yield recorder
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
