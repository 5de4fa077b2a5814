"""Uploads over keep-alive connections, by blocking sockets: as cheap as Python can send bytes."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

BOUNDARY = b"------------------------4672aa91bc03de5f"  # as curl makes them
PATH = "/v1/channels/702/messages"
_PIECE = memoryview(bytes(range(256)) * 4096)
_OPENING = (
    b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)
CLOSING = b"\r\n--" + BOUNDARY + b"--\r\n"


@dataclass(frozen=True)
class Load:
    """So many uploads of `size` bytes each, over `connections`; `status` answers each."""

    size: int
    uploads: int
    connections: int
    status: int = 200

    @property
    def gib(self) -> float:
        return self.size * self.uploads / 1024**3


def run_load(url: str, load: Load, token: str) -> float:
    """Upload all of it; the seconds it took. Raises AssertionError for any other answer."""
    started = time.perf_counter()
    with ThreadPoolExecutor(load.connections) as pool:
        share = load.uploads // load.connections
        for done in [
            pool.submit(_uploads, url, token, load, share) for _ in range(load.connections)
        ]:
            done.result()
    return time.perf_counter() - started


def request_head(host: str, token: str, size: int) -> bytes:
    """The head of an upload and the beginning of its form."""
    length = len(_OPENING) + size + len(CLOSING)
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"User-Agent: bench\r\nAccept: */*\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode() + _OPENING


def _uploads(url: str, token: str, load: Load, count: int) -> None:
    address = urlsplit(url)
    head = request_head(str(address.hostname), token, load.size)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            _upload(connection, head, load.size)
            _answered(connection, load.status)


def _upload(connection: socket.socket, head: bytes, size: int) -> None:
    if size < len(_PIECE):
        connection.sendall(head + _PIECE[:size] + CLOSING)
    else:
        connection.sendall(head)
        for left in range(size, 0, -len(_PIECE)):
            connection.sendall(_PIECE[:left])
        connection.sendall(CLOSING)


def _answered(connection: socket.socket, status: int) -> None:
    """Read the answer to its end."""
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
    else:  # chunked, as a proxy may make of it
        while not data.endswith(b"0\r\n\r\n"):
            data += _received(connection)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    assert data, "the connection was closed"
    return data
