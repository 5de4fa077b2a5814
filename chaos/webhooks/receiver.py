"""Receivers of webhooks: one that accepts every message, and one that fails in every way."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from http.client import parse_headers
from io import BytesIO
from itertools import count, cycle
from typing import Any, Final, Self

from standardwebhooks import Webhook, WebhookVerificationError

from chaos.servers.listening import listening
from chaos.webhooks.audit import Delivery
from chaos.webhooks.plan import Mood
from gateway.stack.ports import HOST, free_port

HOOK: Final = "/hooks/uploads"
ELSEWHERE: Final = "/elsewhere"

NONSENSE: Final = (
    b"",
    b"\x16\x03\x01\x02\x00\x01\x00\x01",
    b"200 OK\r\n\r\n",
    b"HTTP/1.1 two hundred\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000,
)
"""What is no answer."""

_REDIRECTS: Final = ("301 Moved Permanently", "302 Found", "303 See Other",
                     "307 Temporary Redirect", "308 Permanent Redirect")  # fmt: skip
_SLOW_SECONDS = 3.0
_LATE_EVERY = 4
"""Every fourth slow answer comes too late."""
_LATE_SECONDS = 25.0
_RETRY_AFTER = 2
_PREFIX: Final = "com.chatkitty-gateway."


def secret_of(name: str) -> str:
    """A secret that is the same in each run."""
    return f"whsec_{b64encode(name.encode().ljust(32, b'.')).decode()}"


class Receiver:
    """One endpoint, and what it was sent; `secrets` are those of a rotation: all must verify."""

    def __init__(self, name: str, secrets: tuple[str, ...], layout: str) -> None:
        """`layout`: the format of its messages."""
        self.name = name
        self.port = free_port()
        self.mood = Mood.DOWN
        self.elsewhere = f"http://{HOST}:{self.port}{ELSEWHERE}"
        self.deliveries: list[Delivery] = []
        self._secrets = secrets
        self._layout = layout
        self._open = AsyncExitStack()
        self._turned = asyncio.Event()
        self._sayings = cycle(NONSENSE)
        self._redirects = cycle(_REDIRECTS)
        self._count = count()
        self._flaky = cycle(
            (self._accept, self._be_busy, self._accept, self._babble, self._accept, self._redirect)
        )
        self._answers: Mapping[Mood, Callable[[], Awaitable[tuple[bytes | None, bool]]]] = {
            Mood.SLOW: self._be_slow,
            Mood.GONE: self._be_gone,
            Mood.BUSY: self._be_busy,
            Mood.GARBLED: self._babble,
            Mood.MOVED: self._redirect,
            Mood.FLAKY: self._be_flaky,
            Mood.WELL: self._accept,
        }

    @property
    def table(self) -> str:
        """Its part of the configuration file."""
        return (
            f'[[webhooks]]\nname = "{self.name}"\nurl = "http://{HOST}:{self.port}{HOOK}"\n'
            f'format = "{self._layout}"\nsecrets = {json.dumps(self._secrets)}\n'
        )

    @classmethod
    @asynccontextmanager
    async def at_work(cls, receivers: Mapping[str, Self]) -> AsyncIterator[None]:
        """Stop all of them at the end."""
        try:
            yield
        finally:
            for receiver in receivers.values():
                await receiver.turn(Mood.DOWN)

    async def turn(self, mood: Mood) -> None:
        """Do that from now on; slow answers that are not given yet never come."""
        if mood is Mood.DOWN:
            await self._open.aclose()
        elif self.mood is Mood.DOWN:
            await self._open.enter_async_context(listening(self._serve, self.port))
        self.mood = mood
        self._turned.set()
        self._turned = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                line, _, fields = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
                headers = parse_headers(BytesIO(fields))
                body = await reader.readexactly(int(headers.get("Content-Length", "0")))
                mood = self.mood
                answer, accepted = await self._answers[mood]()
                path = line.decode().split()[1]
                self.deliveries.append(
                    self._delivery(path, dict(headers.items()), body, mood, accepted=accepted)
                )
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if not accepted:
                    break
        writer.close()

    def _delivery(
        self, path: str, headers: Mapping[str, str], body: bytes, mood: Mood, *, accepted: bool
    ) -> Delivery:
        headers = {name.lower(): value for name, value in headers.items()}
        flaw = None if path == HOOK else f"a request for {path}"
        document: dict[str, Any] = {}
        for secret in self._secrets:
            try:
                document = Webhook(secret).verify(body, headers)
            except WebhookVerificationError as error:
                flaw = f"its signature is wrong: {error}"
        data = document.get("data", {})
        message_id = headers.get("webhook-id", "")
        if document.get("id", message_id) != message_id:
            flaw = f"the event {document['id']} came as {message_id}"
        upload = data.get("upload", {})
        event = str(document.get("type", "")).removeprefix(_PREFIX).removeprefix("upload.")
        if event != upload.get("state"):
            flaw = f"the type says {event}, its upload {upload.get('state')}"
        return Delivery(
            endpoint=self.name,
            message_id=message_id,
            upload_id=upload.get("id", ""),
            sequence=data.get("sequence", 0),
            state=event,
            at=str(document.get("timestamp", document.get("time"))),
            mood=mood,
            accepted=accepted,
            flaw=flaw,
        )

    async def _accept(self) -> tuple[bytes | None, bool]:
        return _answer("204 No Content"), True

    async def _be_slow(self) -> tuple[bytes | None, bool]:
        late = next(self._count) % _LATE_EVERY == 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_LATE_SECONDS if late else _SLOW_SECONDS):
                await self._turned.wait()
            return None, False
        return (None, False) if late else await self._accept()

    async def _be_gone(self) -> tuple[bytes | None, bool]:
        return _answer("410 Gone"), False

    async def _be_busy(self) -> tuple[bytes | None, bool]:
        return _answer("429 Too Many Requests", f"Retry-After: {_RETRY_AFTER}"), False

    async def _babble(self) -> tuple[bytes | None, bool]:
        return next(self._sayings), False

    async def _be_flaky(self) -> tuple[bytes | None, bool]:
        answer = next(self._flaky)
        return await answer()

    async def _redirect(self) -> tuple[bytes | None, bool]:
        return _answer(next(self._redirects), f"Location: {self.elsewhere}"), False


def _answer(status: str, *fields: str) -> bytes:
    """An answer without a body; 204 has no length."""
    length = () if status.startswith("204") else ("Content-Length: 0",)
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, *length, "", ""]).encode()
