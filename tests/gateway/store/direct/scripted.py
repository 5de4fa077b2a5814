"""A store that answers as it is told, and what either client makes of it."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from email.utils import formatdate
from typing import Self

from chaos.servers.listening import listening
from gateway.choices import S3ClientName
from gateway.store.s3 import S3Store

DATE = "Sun, 29 Nov 2026 07:00:00 GMT"
CONTENT = b"bytes"

Answer = Callable[[str], bytes]
"""Makes the answer to a request from its head. After it, and after b"", the connection ends."""


class Scripted:
    """Answers one request after the other; the last answer stands for all that follow."""

    def __init__(self) -> None:
        self.url = ""
        self._answers: list[Answer] = []
        self.heads: list[str] = []
        """Of the requests that came."""

    @classmethod
    @asynccontextmanager
    async def start(cls, tls: ssl.SSLContext | None = None) -> AsyncIterator[Self]:
        store = cls()
        async with listening(store._serve, tls=tls) as store.url:
            yield store

    def script(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.heads = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if length := re.search(r"(?i)\r\ncontent-length: *(\d+)", head):
                await reader.readexactly(int(length[1]))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            writer.write(answer(head))
            await writer.drain()
            writer.close()
            await writer.wait_closed()


def answer(status: str, body: bytes = b"", **headers: str | None) -> Answer:
    """That status and body, with headers by their names with `_` for `-`; None leaves one out."""

    def made(request: str) -> bytes:
        fields: dict[str, str | None] = {
            "Date": formatdate(usegmt=True),
            "Content-Length": str(len(body)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
            "Connection": "close",
        }
        lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
        head = "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()
        return head if request.startswith("HEAD ") else head + body

    return made


def error(status: str, code: str, more: str = "") -> Answer:
    """An error as S3 has them."""
    body = f"<Error><Code>{code}</Code>{more}<RequestId>id</RequestId></Error>"
    return answer(status, body.encode())


def good(**changes: str | None) -> Answer:
    """What each call hopes for, but for those headers."""

    def made(request: str) -> bytes:
        if asked := re.search(r"(?i)\r\nrange: bytes=(\d+)-(\d+)\r\n", request):
            return part_of_it(int(asked[1]), int(asked[2]) + 1, **changes)(request)
        headers = {"ETag": '"1"', "Last_Modified": DATE, **changes}
        method = request.partition(" ")[0]
        body = CONTENT if method in ("GET", "HEAD") else b""
        status = "204 No Content" if method == "DELETE" else "200 OK"
        return answer(status, body, **headers)(request)

    return made


def whole(request: str) -> bytes:
    """All of the object, whatever part of it was asked for."""
    return answer("200 OK", CONTENT, ETag='"1"', Last_Modified=DATE)(request)


def part_of_it(start: int, end: int, **changes: str | None) -> Answer:
    """Those bytes of the object."""
    named = {"Content_Range": f"bytes {start}-{end - 1}/{len(CONTENT)}", **changes}
    return answer("206 Partial Content", CONTENT[start:end], ETag='"1"', **named)


def cut(complete: Answer, left: int) -> Answer:
    """The answer without so many bytes of its end."""
    return lambda request: complete(request)[:-left]


def nothing(_: str) -> bytes:
    """The connection ends without an answer."""
    return b""


def opened(url: str, name: S3ClientName) -> AbstractAsyncContextManager[S3Store]:
    """A bucket of a store of ours, by that client."""
    return S3Store.open(
        endpoint_url=url,
        bucket="bucket",
        region="us-east-1",
        access_key_id="key",
        secret_access_key="secret",
        client_name=name,
    )
