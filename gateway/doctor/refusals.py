"""What a Redis says when it refuses, and what to do about it. Pure."""

from dataclasses import dataclass
from typing import Final

from redis.exceptions import InvalidResponse

from gateway.doctor.network import Server, why_unreachable


@dataclass(frozen=True, slots=True)
class Names:
    """Where a Redis, its user and its password are set."""

    server: Server
    user: str
    password: str


REDIS: Final = Names(
    Server("Redis", "GATEWAY_REDIS_URL", "GATEWAY_REDIS_CA_FILE"),
    "GATEWAY_REDIS_USERNAME",
    "GATEWAY_REDIS_PASSWORD",
)
BROKER: Final = Names(
    Server("the broker", "GATEWAY_BROKER_URL", "GATEWAY_BROKER_URL (?ssl_ca_certs=…)"),
    "the user in GATEWAY_BROKER_URL",
    "the password in GATEWAY_BROKER_URL",
)

_ASKS: Final = "requires a password: set {password}"
_REFUSALS: Final = (
    ("WRONGPASS", "refuses the password or the user: correct {password} and {user}"),
    (
        "invalid username-password pair",
        "refuses the password or the user: correct {password} and {user}",
    ),
    ("NOAUTH", _ASKS),
    ("Authentication required", _ASKS),
    ("HELLO must be called with the client already authenticated", _ASKS),
    ("DB index is out of range", "has no database of that number: correct the end of {url}"),
    (
        "no permissions",
        "refuses a command or key that gateways need: give its user the rights of docs/redis.md",
    ),
    ("OOM", "is full: raise its maxmemory, or remove what else is in it"),
    ("used memory > 'maxmemory'", "is full: raise its maxmemory, or remove what else is in it"),
    (
        "MISCONF",
        (
            "cannot write its data to disk, and accepts no writes: make room on its disk, and look"
            " into its log"
        ),
    ),
    (
        "NOREPLICAS",
        "has too few replicas to accept writes: start them, or lower min-replicas-to-write",
    ),
    ("READONLY", "is a replica, which accepts no writes: name the primary in {url}"),
    ("LOADING", "is still loading its data: wait until it has finished, and run doctor again"),
    ("MASTERDOWN", "is a replica that has lost its primary: name the primary in {url}"),
    (
        "Connection closed by server",
        (
            "breaks connections without an answer: correct the scheme (TLS or not) and the port in"
            " {url}"
        ),
    ),
    (
        "max number of clients",
        "accepts no more clients: raise its maxclients, or close unused connections",
    ),
    (
        "unknown command",
        (
            "does not know a command that gateways need: name Redis or Valkey itself in {url},"
            " not a proxy"
        ),
    ),
    (
        "no sentinel names",
        (
            "no sentinel names a primary: start the sentinels, or correct their addresses, their"
            " password and MASTER in {url}"
        ),
    ),
)


def explained(error: Exception, names: Names) -> str:
    """What a Redis refuses, and what to do. Pure."""
    said = " ".join(str(error).split())
    for begins, line in _REFUSALS:
        if begins in said:
            return line.format(password=names.password, user=names.user, url=names.server.setting)
    if reason := why_unreachable(error, names.server):
        return reason
    if isinstance(error, InvalidResponse) or "Protocol Error" in said:
        return f"the server at that address is not Redis: correct {names.server.setting}"
    if isinstance(error, FileNotFoundError) or "No such file" in said:
        return f"a certificate or key file does not exist: correct {names.server.authority}"
    return f"{said or type(error).__name__}: look into its log, and correct {names.server.setting}"
