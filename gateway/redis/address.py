"""The address of a Redis, which is one server or the sentinels that know it. Pure.

`redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss` with TLS. With Sentinel
`redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DATABASE`, or `rediss+sentinel` if both
sentinels and servers use TLS; user and password are the server's. Options follow a `?`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self, cast
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from redis.asyncio.connection import parse_url

_PLAIN: Final = ("redis", "rediss")
_WITH_SENTINELS: Final = ("redis+sentinel", "rediss+sentinel")
_SCHEMES: Final = (*_PLAIN, *_WITH_SENTINELS)

_REDIS_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379

_TLS: Final = "ssl_"
"""The prefix of the options that redis-py and kombu have in common."""

_SETTINGS: Final = {
    "ssl_ca_certs": "GATEWAY_REDIS_CA_FILE",
    "ssl_certfile": "GATEWAY_REDIS_CERT_FILE",
    "ssl_keyfile": "GATEWAY_REDIS_KEY_FILE",
    "sentinel_username": "GATEWAY_REDIS_SENTINEL_USERNAME",
    "sentinel_password": "GATEWAY_REDIS_SENTINEL_PASSWORD",
}
"""The settings of these options outside the URL."""

_OF_SENTINELS: Final = {"sentinel_username": "username", "sentinel_password": "password"}
OPTIONS: Final = frozenset(
    {
        *("db", "username", "password", "protocol", "client_name", "lib_name", "lib_version"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_read_size"),
        *("health_check_interval", "retry_on_timeout", "max_connections", "timeout"),
        *("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"),
        *("ssl_cert_reqs", "ssl_check_hostname", "ssl_ciphers", "ssl_min_version"),
    }
)
"""The options of redis-py that a URL may have."""

NO_CLUSTER: Final = (
    "Celery and the gateway's scripts take several keys at a time, which a cluster keeps on"
    " different servers; use one primary, with replicas and Sentinel if it is to fail over"
)

_REMEDIES: Final = (
    (
        re.compile(r"rediss?[+-]cluster"),
        f"Redis Cluster cannot be used: {NO_CLUSTER}",
    ),
    (
        re.compile(r"sentinels?|rediss?-sentinel|valkeys?\+sentinel"),
        "write redis+sentinel://HOST:PORT,HOST:PORT/MASTER, or rediss+sentinel:// with TLS",
    ),
    (re.compile("unix|redis[+]socket|redis[+]unix"), "Unix sockets cannot be used: name a port"),
    (re.compile("valkeys?"), "write redis:// (or rediss:// with TLS): Valkey speaks the same"),
)
"""Common misspellings of the schemes."""


class Host(NamedTuple):
    """The address of one server."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self._bracketed()}:{self.port}"

    def _bracketed(self) -> str:
        return f"[{self.name}]" if ":" in self.name else self.name


@dataclass(frozen=True)
class RedisAddress:
    """A primary server, by its own address or by the sentinels that know it."""

    hosts: tuple[Host, ...]
    """The server, or its sentinels."""

    master: str | None
    """The sentinels' name of the server; None if there are no sentinels."""

    tls: bool
    options: Mapping[str, object] = field(repr=False)
    """redis-py's options for the server: its database, user, password, and so on."""

    sentinel_options: Mapping[str, object] = field(repr=False)
    """redis-py's options for the sentinels."""

    @classmethod
    def of(cls, url: str) -> Self:
        """The address that a URL names.

        Raises ValueError, whose text contains nothing that may be a part of a password.
        """
        parts = _split(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        by_sentinel = parts.scheme in _WITH_SENTINELS
        tls = parts.scheme.startswith("rediss")
        path = [unquote(each) for each in parts.path.split("/") if each]
        if by_sentinel and not path:
            raise ValueError("name the master behind the sentinels: …:26379/MASTER")
        master = path.pop(0) if by_sentinel else None
        database = "/".join(path)
        _check_options(query, tls=tls, by_sentinel=by_sentinel)
        options = _options(query, database)
        user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
        if user:
            options["username"] = unquote(user)
        if colon and password:
            options["password"] = unquote(password)
        of_sentinels: dict[str, object] = {
            theirs: query[name] for name, theirs in _OF_SENTINELS.items() if name in query
        }
        if tls and by_sentinel:
            of_sentinels |= {n: value for n, value in options.items() if n.startswith(_TLS)}
        return cls(
            hosts=_hosts(parts, _SENTINEL_PORT if by_sentinel else _REDIS_PORT),
            master=master,
            tls=tls,
            options=options,
            sentinel_options=of_sentinels,
        )

    @property
    def for_kombu(self) -> Mapping[str, object]:
        """The options for kombu, which accepts any certificate by default."""
        taken = ("db", "username", "password")
        options = {n: o for n, o in self.options.items() if n in taken or n.startswith(_TLS)}
        return {**options, "ssl_cert_reqs": "required", **options} if self.tls else options

    def __str__(self) -> str:
        """The address without secrets, for logs and for workers' answers."""
        scheme = (_WITH_SENTINELS if self.master else _PLAIN)[self.tls]
        path = "/".join(filter(None, (quote(self.master or "", ""), str(self.options["db"]))))
        return f"{scheme}://{','.join(map(str, self.hosts))}/{path}"


def is_redis(url: str) -> bool:
    """Whether the URL is a Redis', with or without Sentinel, or was meant to be one."""
    scheme = url.partition("://")[0].lower()
    return scheme in _SCHEMES or any(known.fullmatch(scheme) for known, _ in _REMEDIES)


def completed(url: str, username: str | None, password: str | None, more: Mapping[str, str]) -> str:
    """The URL with user, password and options from other settings.

    Raises ValueError if the URL has one of them as well.
    """
    parts = _split(url)
    own = dict(parse_qsl(parts.query, keep_blank_values=True))
    if taken := sorted(own.keys() & more.keys()):
        name = _SETTINGS[taken[0]]
        raise ValueError(f"{taken[0]} is in the URL, and {name} is set as well: remove one")
    user, at, hosts = parts.netloc.rpartition("@")
    if (username or password) and at:
        raise ValueError(
            "a user or password is in the URL, and GATEWAY_REDIS_USERNAME or _PASSWORD is set"
            " as well: remove one"
        )
    if username or password:
        user, at = f"{quote(username or '', '')}:{quote(password or '', '')}", "@"
    query = urlencode({**own, **more})
    return parts._replace(netloc=f"{user}{at}{hosts}", query=query).geturl()


def _split(url: str) -> SplitResult:
    scheme = url.partition("://")[0].lower()
    for known, remedy in _REMEDIES:
        if known.fullmatch(scheme):
            raise ValueError(remedy)
    if scheme not in _SCHEMES:
        raise ValueError(f"must begin with one of {', '.join(f'{each}://' for each in _SCHEMES)}")
    # urlsplit of Python 3.14 refuses several hosts if one of them is an IPv6 address.
    rest = url.partition("://")[2]
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, _, query = rest.removeprefix(netloc).partition("?")
    user = netloc.rpartition("@")[0]
    # Otherwise, these hold the rest of a password, and the host.
    if "#" in url or "@" in path + query or "[" in user or "]" in user:
        raise _unreadable()
    return SplitResult(scheme, netloc, path, query, "")


def _unreadable() -> ValueError:
    return ValueError(
        "the address cannot be read: in a URL, user and password are percent-encoded; those of"
        " GATEWAY_REDIS_USERNAME and GATEWAY_REDIS_PASSWORD are written as they are"
    )


def _hosts(parts: SplitResult, port: int) -> tuple[Host, ...]:
    hosts = []
    for text in parts.netloc.rpartition("@")[2].split(","):
        try:
            each = urlsplit(f"//{text.strip()}")
            hosts.append(Host(unquote(each.hostname or "localhost"), each.port or port))
        except ValueError:
            raise _unreadable() from None
    if len(hosts) > 1 and parts.scheme in _PLAIN:
        raise ValueError("names several servers: name only the primary, or its sentinels")
    return tuple(hosts)


def _check_options(query: Mapping[str, str], *, tls: bool, by_sentinel: bool) -> None:
    for name in query:
        told = f"{name} (or {_SETTINGS[name]})" if name in _SETTINGS else name
        if not re.fullmatch(r"[a-z_]+", name):  # it may be half a password
            raise _unreadable()
        if name in _OF_SENTINELS and by_sentinel:
            continue
        if name in _OF_SENTINELS:
            raise ValueError(f"{told} works only with redis+sentinel:// and rediss+sentinel://")
        if name not in OPTIONS:
            raise ValueError(f"has an unknown option: {name}")
        if name.startswith(_TLS) and not tls:
            raise ValueError(f"{told} works only with rediss:// and rediss+sentinel://")


def _options(query: Mapping[str, str], database: str) -> dict[str, object]:
    if database and not database.isdecimal():
        raise ValueError("the database must be a number: …/0")
    own = {name: value for name, value in query.items() if name not in _OF_SENTINELS}
    options = cast(dict[str, object], parse_url(f"redis://?{urlencode(own)}"))
    return {"db": int(database or 0)} | options
