"""Whether a server serves yet."""

import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

_SECONDS = 2.0


def answers(url: str, *, below: int = 500) -> bool:
    """Whether a GET of `url` gets a status lower than `below`."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_SECONDS)
    try:
        connection.request("GET", address.path or "/")
        return connection.getresponse().status < below
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def says(log: Path, since: int, word: str) -> bool:
    """Whether a log has the word after its first `since` bytes."""
    if not log.exists():
        return False
    with log.open("rb") as file:
        file.seek(since)
        return word.encode() in file.read()


def listens(host: str, port: int) -> bool:
    """Whether a server accepts connections at that address."""
    with socket.socket() as client:
        client.settimeout(_SECONDS)
        return client.connect_ex((host, port)) == 0


def pongs(host: str, port: int) -> bool:
    """Whether a Redis answers a PING."""
    try:
        with socket.create_connection((host, port), _SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
