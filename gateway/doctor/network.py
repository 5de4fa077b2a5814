"""Why a server cannot be reached, and what to change. Pure."""

import errno
import socket
import ssl
from dataclasses import dataclass
from typing import Final

import aiohttp
from redis.exceptions import TimeoutError as RedisTimeout

from gateway.causes import causes_of

_NO_WAY: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
_NO_MORE: Final = frozenset({errno.EMFILE, errno.ENFILE})
_LATE: Final = (TimeoutError, RedisTimeout)
_CUT: Final = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientResponseError,
    ConnectionResetError,
    BrokenPipeError,
    EOFError,
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server, for messages to an operator: `it` names it within a sentence.

    `setting` is the setting of its address, `authority` the one that names a private CA.
    """

    it: str
    setting: str
    authority: str = "SSL_CERT_FILE"


def why_unreachable(error: BaseException, server: Server) -> str | None:
    """What happened, and the remedy; None if it is not an error of the network."""
    for each in causes_of(error):
        if line := _of_one(each, server):
            return line
    return None


def _of_one(error: BaseException, server: Server) -> str | None:
    return _of_tls(error, server) or _of_class(error, server) or _of_number(error, server)


def _of_number(error: BaseException, server: Server) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    it, setting = server.it, server.setting
    if number == errno.ECONNREFUSED:
        return f"nothing listens at the address of {it}: start it, or correct {setting}"
    if number in _NO_WAY:
        return f"there is no route to {it}: correct {setting}, or fix the network"
    if number in _NO_MORE:
        return "no file descriptor is free: raise the limit of this process (ulimit -n 65536)"
    return None


def _of_class(error: BaseException, server: Server) -> str | None:
    it, setting = server.it, server.setting
    if isinstance(error, socket.gaierror):
        return f"the host name of {it} cannot be resolved: correct {setting}, or fix DNS"
    if isinstance(error, _LATE):
        return (
            f"{it} does not answer in time: restart it if it hangs, allow this machine to"
            f" connect to it, or correct {setting} (host, port, TLS or not)"
        )
    if isinstance(error, _CUT):
        return (
            f"{it} breaks connections without an answer: correct the scheme (TLS or not) and the"
            f" port in {setting}"
        )
    return None


def _of_tls(error: BaseException, server: Server) -> str | None:
    if (reason := getattr(error, "verify_message", None)) is not None:
        return (
            f"the certificate of {server.it} cannot be verified ({reason}): name the"
            f" file of its CA in {server.authority}, and use the certificate's host name in"
            f" {server.setting}"
        )
    # One error of aiohttp's is of both kinds; its cause is the specific one.
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"{server.it} does not speak TLS, or only another version of it: correct the scheme"
            f" and the port in {server.setting}"
        )
    return None
