"""Uploads and GETs over kept connections, with blocking sockets: as cheap as Python can be."""

import secrets
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

PATH = "/v1/channels/702/messages"
_PIECE = memoryview(bytes(range(256)) * 4096)


@dataclass(frozen=True)
class Load:
    """`uploads` uploads of `size` bytes each, over `connections`; each is answered with `status`.

    `gets`: GETs instead, each with an answer of that size.
    """

    size: int
    uploads: int
    connections: int
    status: int = 200
    path: str = PATH
    gets: bool = False

    @property
    def gib(self) -> float:
        return self.size * self.uploads / 1024**3


def run_load(url: str, load: Load, token: str) -> float:
    """Upload everything; returns the seconds. Raises AssertionError for any other answer."""
    started = time.perf_counter()
    time_load(url, load, token)
    return time.perf_counter() - started


def time_load(url: str, load: Load, token: str) -> list[float]:
    """As `run_load`, but returns the seconds that each upload took."""
    with ThreadPoolExecutor(load.connections) as pool:
        share = load.uploads // load.connections
        work = _gets if load.gets else _uploads
        doing = [pool.submit(work, url, token, load, share) for _ in range(load.connections)]
        return [seconds for done in doing for seconds in done.result()]


def p99(taken: list[float]) -> float:
    """The 99th percentile, in the unit of `taken`."""
    return statistics.quantiles(taken, n=100)[-1]


def around(
    host: str, token: str, size: int, path: str = PATH, number: int | None = None
) -> tuple[bytes, bytes]:
    """The bytes of a request before a file's bytes, and those after them.

    Boundary and name are new for each upload, as with curl and browsers, so that no cache helps.
    With a number, they are the same for the same number.
    """
    unique = secrets.token_hex(8) if number is None else f"{number:016x}"
    boundary = f"------------------------{unique}"
    opening = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{unique}.bin"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n"
    )
    closing = f"\r\n--{boundary}--\r\n"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"User-Agent: bench\r\nAccept: */*\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(opening) + size + len(closing)}\r\n\r\n"
    )
    return (head + opening).encode(), closing.encode()


def get(host: str, token: str, size: int) -> bytes:
    """A request that the sink answers with `size` bytes."""
    lines = (
        f"GET /v1/bytes/{size} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {token}",
        "User-Agent: bench",
        "Accept: */*",
    )
    return "\r\n".join([*lines, "", ""]).encode()


def _uploads(url: str, token: str, load: Load, count: int) -> list[float]:
    address = urlsplit(url)
    taken = []
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            before, after = around(str(address.hostname), token, load.size, load.path)
            started = time.perf_counter()
            _upload(connection, before, after, load.size)
            read_answer(connection, load.status)
            taken.append(time.perf_counter() - started)
    return taken


def _gets(url: str, token: str, load: Load, count: int) -> list[float]:
    address = urlsplit(url)
    taken = []
    request = get(str(address.hostname), token, load.size)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            started = time.perf_counter()
            connection.sendall(request)
            read_answer(connection, load.status)
            taken.append(time.perf_counter() - started)
    return taken


def _upload(connection: socket.socket, before: bytes, after: bytes, size: int) -> None:
    if size < len(_PIECE):
        connection.sendall(before + _PIECE[:size] + after)
    else:
        connection.sendall(before)
        for left in range(size, 0, -len(_PIECE)):
            connection.sendall(_PIECE[:left])
        connection.sendall(after)


def read_answer(connection: socket.socket, status: int) -> None:
    """Read an answer to its end. Raises AssertionError for another status."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _received(connection)
    head = data[:end].lower()
    assert b" %d " % status in head.split(b"\r\n", 1)[0], data
    _, named, rest = head.partition(b"content-length:")
    if named:
        missing = int(rest.partition(b"\r\n")[0]) - (len(data) - end - 4)
        while missing > 0:
            missing -= len(_received(connection))
    else:  # chunked, since a proxy may change the framing
        while not data.endswith(b"0\r\n\r\n"):
            data += _received(connection)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    assert data, "the connection was closed"
    return data
