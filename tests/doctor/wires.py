"""Servers that are not what they ought to be, and wires that change what passes."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from kombu import Connection, Exchange, Queue
from kombu.transport.redis import Transport

from chaos.servers.listening import Serve, listening
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import listens, pongs
from gateway.stack.valkey import Valkey
from tests.servers.certificate import self_signed

HTML = b"<!doctype html><title>Welcome</title>"


@asynccontextmanager
async def website(
    status: bytes = b"200 OK", body: bytes = HTML, headers: bytes = b"Content-Type: text/html"
) -> AsyncIterator[str]:
    """The URL of something that answers each request so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n")
            if b" HTTP/1.1\r\n" in head:
                head += await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            more = b"" if head.startswith(b"HEAD ") else body
            writer.write(
                b"HTTP/1.1 %b\r\n%b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
                % (status, headers, len(body), more)
            )
            await writer.drain()
            writer.close()

    async with listening(serve) as url:
        yield url


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """The address of something that takes connections and says nothing."""

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read(-1)

    async with listening(serve) as url:
        yield urlsplit(url).netloc


Change = Callable[[bytes], bytes]


def _through(address: str, change: Change = bytes) -> Serve:
    """Passes on what goes to and fro, with something changed in what comes back."""
    host, _, port = address.partition(":")

    async def copy(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Change
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(change(data))
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(copy(reader, to_server, bytes), copy(from_server, writer, change))
        finally:
            to_server.close()  # also where the test's end cancels this

    return serve


@asynccontextmanager
async def behind_tls(address: str, directory: Path) -> AsyncIterator[str]:
    """The address of that server by TLS, with a certificate that nobody knows."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(self_signed(directory / "unknown.pem"))
    async with listening(_through(address), tls=tls) as url:
        yield urlsplit(url).netloc


@asynccontextmanager
async def called(address: str, version: str) -> AsyncIterator[str]:
    """The address of that Redis, whose version reads as that one, filled up with nines.

    The length of what is sent must not change.
    """

    def old(real: re.Match[bytes]) -> bytes:
        return version.encode().ljust(len(real[0]), b"9")

    wire = _through(address, lambda data: re.sub(rb"(?<=redis_version:)[\d.]+", old, data))
    async with listening(wire) as url:
        yield urlsplit(url).netloc


@contextmanager
def own_redis(directory: Path, *options: str) -> Iterator[str]:
    """The address of a Redis that was started with these options, too."""
    server = Valkey(directory / "redis", free_port())
    argv = [*server.command().argv, *options]
    ready = lambda: listens(HOST, server.port)  # noqa: E731 - it may not let everybody PING
    with Part(Command("redis", argv, ready), directory):
        yield f"{HOST}:{server.port}"


@contextmanager
def sentinel(directory: Path) -> Iterator[str]:
    """The address of a sentinel that watches nothing."""
    port = free_port()
    file = directory / "sentinel.conf"
    file.write_text(f"port {port}\nbind {HOST}\ndir {directory}\n")
    argv = [Valkey(directory, port).command().argv[0], str(file), "--sentinel"]
    with Part(Command("sentinel", argv, lambda: pongs(HOST, port)), directory):
        yield f"{HOST}:{port}"


def declare_as_another(url: str) -> None:
    """Declare the queue of another application's Celery on this Redis.

    By the class: kombu remembers what it found by name, and would never take the gateway's
    transports in this process.
    """
    with Connection(url, transport=Transport) as another:
        Queue("celery", Exchange("celery"), "celery")(another.channel()).declare()
