"""Which headers are passed on, in either direction. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import compress
from operator import itemgetter
from typing import Final, TypeAlias

from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.text import as_received

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110 section 7.6.1, and the names in earlier documents."""

_NOT_FOR_THE_UPSTREAM = frozenset(
    {"host", "expect", "forwarded", "x-real-ip", "x-request-id", "idempotency-key"}
)
_NOT_FROM_THE_UPSTREAM = frozenset({"x-request-id"})
_NEVER_PASSED_ON: Final = ("upload-", "tus-")
"""Beginnings of our own Upload-Id, and of the headers that resume uploads (tus, IETF draft).

The gateway resumes uploads itself: ChatKitty would take a part for the whole file, and a client
would believe that ChatKitty can continue an upload.
"""

_DECIDING: Final = frozenset(
    {
        "authorization", "connection", "content-encoding", "content-length", "content-type",
        "expect", "forwarded", "grant", "host", "idempotency-key", "if-range", "prefer", "range",
        "transfer-encoding", "upgrade", "x-forwarded-for",
    }
)  # fmt: skip
"""Headers that frame a message or give its meaning; the gateway's decisions depend on them.

Connection cannot name them: without its Content-Length, a body would be read as the next message,
and without its Content-Type, a form would pass the gateway and arrive as something else.
"""

_ONE_SPELLING: Final = _DECIDING | {"accept-encoding"}
"""Headers not forwarded with an underscore, since some servers read it as a hyphen."""

_SWITCH: Final = {"Connection": "Upgrade", "Upgrade": "websocket"}
"""For one connection only, so each side gets its own (RFC 9110 section 7.8)."""

_TRACE: Final = frozenset({"traceparent", "tracestate"})
_KNOWN_NAMES: Final = 256

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Names and values as they came."""

_NAME: Final = itemgetter(0)
_VALUE: Final = itemgetter(1)

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def to_upstream(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """A request's headers for the upstream: the end-to-end ones, without those that name a client.

    The upstream need not know where a request came from. All lines with one name get the same
    spelling, since aiohttp's client sends only the last one of several spellings.
    """
    passing = _passing(received, _reaches_upstream)
    spelling = {name.lower(): name for name, _ in passing}
    return CIMultiDict((spelling[name.lower()], value) for name, value in passing)


def of_relay(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """An upload's headers for the upstream; they ask for an answer that the audit can read."""
    outgoing = to_upstream(received)
    outgoing["Accept-Encoding"] = "identity"
    return outgoing


def raw_to_upstream(
    received: RawHeaders, folded: CIMultiDictProxy[str]
) -> list[tuple[bytes, bytes]]:
    """The result of `to_upstream` for the same headers, as bytes; `folded` are these as text."""
    return _passing_raw(received, folded, _reaches_upstream_raw)


def of_handshake(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers for the upstream of a request that asks for a WebSocket."""
    outgoing = to_upstream(received)
    outgoing.update(_SWITCH)
    return outgoing


def of_switch(answered: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers for the client of an answer that switches to a WebSocket; it has no body."""
    outgoing = to_client(answered)
    outgoing.popall("Content-Length", None)
    outgoing.update(_SWITCH)
    return outgoing


def to_client(answered: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """An answer's headers for the client: the end-to-end ones."""
    return CIMultiDict(_passing(answered, _reaches_client))


def raw_of_relay(received: RawHeaders, folded: CIMultiDictProxy[str]) -> list[tuple[bytes, bytes]]:
    """The result of `of_relay` for the same headers, as bytes; `folded` are these as text."""
    kept = _passing_raw(received, folded, _is_relayed_raw)
    kept.append((b"Accept-Encoding", b"identity"))
    return kept


def raw_to_client(answered: RawHeaders, folded: CIMultiDictProxy[str]) -> list[tuple[bytes, bytes]]:
    """The result of `to_client` for the same headers, as bytes; `folded` are these as text."""
    return _passing_raw(answered, folded, _reaches_client_raw)


def with_trace(outgoing: RawHeaders, trace: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers with this W3C Trace Context instead of the client's."""
    kept = [(name, value) for name, value in outgoing if _folded(name) not in _TRACE]
    return kept + [(as_received(name), as_received(value)) for name, value in trace.items()]


def unfit(received: RawHeaders) -> str | None:
    """The first header that decisions depend on with a value that is not ASCII.

    No honest client sends one, and readers interpret it differently. Control characters need no
    check: the parsers refuse them in every header.
    """
    if b"".join(map(_VALUE, received)).isascii():  # nearly always true
        return None
    for name, value in received:
        if not value.isascii() and _folded(name) in _DECIDING:
            return name.decode("latin-1")
    return None


def request_id(received: str | None) -> str | None:
    """The client's own request id, if it may be logged and sent back."""
    return received if received is not None and _REQUEST_ID.fullmatch(received) else None


def _listed(headers: CIMultiDictProxy[str]) -> frozenset[str]:
    """The headers that Connection names as hop-by-hop, if there is a Connection."""
    options: Iterable[str] = ",".join(headers.getall(hdrs.CONNECTION)).split(",")
    return frozenset(_plain(option.strip().lower()) for option in options) - _DECIDING


def _plain(folded: str) -> str:
    """A header's name for servers that read an underscore as a hyphen."""
    return folded.replace("_", "-")


def _passing(
    headers: CIMultiDictProxy[str], reaches: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """The headers that may be passed on, and that Connection does not name."""
    passing = [line for line in headers.items() if reaches(line[0])]
    if hdrs.CONNECTION in headers:
        listed = _listed(headers)
        return [line for line in passing if _plain(line[0].lower()) not in listed]
    return passing


def _passing_raw(
    headers: RawHeaders, folded: CIMultiDictProxy[str], reaches: Callable[[bytes], bool]
) -> list[tuple[bytes, bytes]]:
    """The result of `_passing` for the same headers, as bytes."""
    passing = list(compress(headers, map(reaches, map(_NAME, headers))))
    if hdrs.CONNECTION in folded:
        listed = _listed(folded)
        return [line for line in passing if _plain(_folded(line[0])) not in listed]
    return passing


# Names are few, and come with every request.
@lru_cache(_KNOWN_NAMES)
def _reaches_upstream(name: str) -> bool:
    folded = name.lower()
    plain = _plain(folded)
    return (
        _is_end_to_end(folded, plain)
        and plain not in _NOT_FOR_THE_UPSTREAM
        and not plain.startswith(("x-forwarded-", *_NEVER_PASSED_ON))
    )


@lru_cache(_KNOWN_NAMES)
def _reaches_upstream_raw(name: bytes) -> bool:
    return _reaches_upstream(_folded(name))


@lru_cache(_KNOWN_NAMES)
def _is_relayed_raw(name: bytes) -> bool:
    folded = _folded(name)
    return folded != "accept-encoding" and _reaches_upstream(folded)


@lru_cache(_KNOWN_NAMES)
def _reaches_client(name: str) -> bool:
    folded = name.lower()
    plain = _plain(folded)
    return (
        _is_end_to_end(folded, plain)
        and plain not in _NOT_FROM_THE_UPSTREAM
        and not plain.startswith(_NEVER_PASSED_ON)
    )


@lru_cache(_KNOWN_NAMES)
def _reaches_client_raw(name: bytes) -> bool:
    return _reaches_client(_folded(name))


def _is_end_to_end(folded: str, plain: str) -> bool:
    return plain not in _HOP_BY_HOP and (folded == plain or plain not in _ONE_SPELLING)


def _folded(name: bytes) -> str:
    return name.decode("latin-1").lower()
