"""An upstream that refuses an upload and closes with bytes unread: its answer is the client's.

The kernel makes a reset of such an end (RFC 9112 section 9.6), which may come before it is read.
"""

import asyncio
import fcntl
import socket
import ssl
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from gateway.stack.ports import HOST
from tests.flows.raw import FORM_TYPE, PATIENCE, exchange, form, head
from tests.servers.certificate import self_signed
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS

PATH = "/v1/channels/702/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
TIMES = 50
KEYED = 5
BODY = form(bytes(600_000))
LENGTH = f"Content-Length: {len(BODY)}"
WANTED = b'{"error": "FileTooLarge"}'
REFUSAL = b"HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n%b" % (len(WANTED), WANTED)
TAKEN = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


class Refusing:
    """Answers what is small, and refuses the rest when it has read a little of it."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._listener = socket.create_server((HOST, 0), backlog=100)
        self.url = f"http{'s' if tls else ''}://{HOST}:{self._listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,)).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        # As servers do: Nagle would hold the refusal back until the reset.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection:
            data = b""
            while not (small := data.endswith(b"--\r\n")) and len(data) < 20_000:
                if not (more := connection.recv(20_000)):
                    return
                data += more
            connection.sendall(TAKEN if small else REFUSAL)
            _wait_until_it_arrived(connection)


def _wait_until_it_arrived(connection: socket.socket) -> None:
    """A reset discards what the other end's kernel has not received yet."""
    deadline = time.monotonic() + PATIENCE
    while _unacknowledged(connection) and time.monotonic() < deadline:
        time.sleep(0.001)


def _unacknowledged(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


@contextmanager
def refusing(tls: ssl.SSLContext | None) -> Iterator[Refusing]:
    upstream = Refusing(tls)
    upstream.thread.start()
    try:
        yield upstream
    finally:
        upstream.close()


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_a_refusal_before_a_reset_reaches_the_client(
    environ: dict[str, str], servers_dir: Path, tmp_path: Path, engine: str, secure: bool
) -> None:
    settings = {**environ, "GATEWAY_DELIVERY": "relay", "GATEWAY_ENGINE": engine}
    tls = None
    if secure:
        certificate = settings["SSL_CERT_FILE"] = str(self_signed(tmp_path / "upstream.pem"))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    with refusing(tls) as upstream:
        settings["GATEWAY_UPSTREAM_URL"] = upstream.url
        with Gateway.start(settings, servers_dir) as gateway:
            small = form(b"x")
            length = f"Content-Length: {len(small)}"
            known = head(PATH, AUTHORIZATION, FORM_TYPE, length) + small
            assert (await exchange(gateway.url, known, until=b"{}")).status == 200
            told: Counter[tuple[str, bytes]] = Counter()
            for kind, times, headers in (
                ("relay", TIMES, [FORM_TYPE]),
                ("passed through", TIMES, ["Content-Type: application/octet-stream"]),
                ("with a key", KEYED, [FORM_TYPE]),
            ):
                for _ in range(times):
                    key = [f"Idempotency-Key: {uuid4()}"] if kind == "with a key" else []
                    request = head(PATH, AUTHORIZATION, LENGTH, *headers, *key) + BODY
                    told[(kind, await answer_to(gateway.url, request))] += 1
                    if key:  # which is free again: a refusal is final
                        told[(kind, await answer_to(gateway.url, request))] += 1
    assert told == {
        ("relay", WANTED): TIMES,
        ("passed through", WANTED): TIMES,
        ("with a key", WANTED): 2 * KEYED,
    }


async def answer_to(url: str, request: bytes) -> bytes:
    """The body of the answer, which is read while the request is sent."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE):
            fields = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"content-length: ")
            return await reader.readexactly(int(fields[1].split(b"\r\n")[0]))
    finally:
        writer.close()
