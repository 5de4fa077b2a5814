"""Which answers pages of other origins may read, and what they may ask for (CORS). Pure.

Source: the Fetch standard, "CORS protocol".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.server.fields.headers import RawHeaders
from gateway.text import as_received

Fields: TypeAlias = Sequence[tuple[str, str]]

ANY: Final = "*"
"""Stands for all origins in the settings."""

_ORIGIN: Final = re.compile(rb"^origin:[ \t]*([!-~]+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_PREFIX: Final = "access-control-"
_RAW_PREFIX: Final = b"access-control-"
_NOT_OF_PREFLIGHTS: Final = ("Authorization", "Content-Type")

_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"

_SECONDS: Final = "7200"
"""How long a browser may remember the answer to a preflight; Chromium accepts no longer time."""

_ACCEPTED: Final = (
    "Accept", "Accept-Language", "Authorization", "Cache-Control", "Content-Digest",
    "Content-Disposition", "Content-Language", "Content-Type", "Grant", "Idempotency-Key",
    "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since",
    "Last-Event-ID", "Prefer", "Range", "Repr-Digest", "traceparent", "tracestate",
    "Tus-Resumable", "Upload-Checksum", "Upload-Complete", "Upload-Defer-Length",
    "Upload-Draft-Interop-Version", "Upload-Incomplete", "Upload-Length", "Upload-Metadata",
    "Upload-Offset", "X-HTTP-Method-Override", "X-Request-Id", "X-Requested-With",
)  # fmt: skip
"""Headers of requests. `*` would not include Authorization."""

_EXPOSED: Final = (
    "Accept-Ranges", "Allow", "Content-Digest", "Content-Disposition", "Content-Encoding",
    "Content-Range", "Date", "ETag", "Link", "Location", "Preference-Applied", "RateLimit",
    "RateLimit-Policy", "Repr-Digest", "Retry-After", "Tus-Checksum-Algorithm", "Tus-Extension",
    "Tus-Max-Size", "Tus-Resumable", "Tus-Version", "Upload-Complete", "Upload-Defer-Length",
    "Upload-Draft-Interop-Version", "Upload-Expires", "Upload-Id", "Upload-Incomplete",
    "Upload-Length", "Upload-Limit", "Upload-Metadata", "Upload-Offset", "WWW-Authenticate",
    "X-Api-Version", "X-Request-Id", "X-Response-Token",
)  # fmt: skip
"""Headers of answers. `*` would not work with credentials."""


class _Said(NamedTuple):
    """The headers of an answer, as text and as bytes."""

    fields: Fields
    lines: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Cors:
    """What answers say to the pages of each origin."""

    _of: Mapping[str | None, _Said]
    _of_others: _Said
    _of_unread: _Said

    def allows(self, origin: str) -> bool:
        """Whether pages of that origin may read answers."""
        return self._said(origin) is not _TO_OTHERS

    def fields(self, origin: str | None) -> Fields:
        """The headers of an answer to a page of that origin, or to a client that names none."""
        return self._said(origin).fields

    def lines(self, origin: str | None) -> Sequence[tuple[bytes, bytes]]:
        """The same headers as bytes."""
        return self._said(origin).lines

    def fields_of_unread(self, head: bytes) -> Fields:
        """The headers of an answer to a head that could not be read, or not as a whole.

        If it has no origin, the answer is for the only one that is allowed.
        """
        found = _ORIGIN.search(head)
        return self.fields(found[1].decode("ascii")) if found else self._of_unread.fields

    def _said(self, origin: str | None) -> _Said:
        return self._of.get(origin, self._of_others)


def cors_of(origins: Sequence[str]) -> Cors | None:
    """The answers to pages of these origins; None if ChatKitty decides, since there are none."""
    if not origins:
        return None
    if ANY in origins:
        to_all = _said(_allowing(ANY))
        return Cors({}, to_all, to_all)
    of: dict[str | None, _Said] = {
        origin: _said((*_allowing(origin), _CREDENTIALS, _VARIES)) for origin in origins
    }
    return Cors(of, _TO_OTHERS, of[origins[0]] if len(of) == 1 else _TO_OTHERS)


def _allowing(origin: str) -> Fields:
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", ", ".join(_EXPOSED)),
    )


def _said(fields: Fields) -> _Said:
    return _Said(fields, tuple((as_received(name), as_received(value)) for name, value in fields))


_CREDENTIALS: Final = ("Access-Control-Allow-Credentials", "true")
_VARIES: Final = ("Vary", "Origin")
_TO_OTHERS: Final = _said((_VARIES,))
"""In an answer that no page of another origin may read."""

PREFLIGHT: Final[Fields] = (
    ("Access-Control-Allow-Methods", _METHODS),
    ("Access-Control-Allow-Headers", ", ".join(_ACCEPTED)),
    ("Access-Control-Max-Age", _SECONDS),
)
"""What the answer to a preflight has in addition."""


def is_preflight(method: str, received: CIMultiDictProxy[str]) -> bool:
    """Whether the request is a browser's CORS preflight, which has no token.

    Fetch standard, "CORS-preflight fetch": it has no credentials, and no sign of a body.
    """
    return (
        method == "OPTIONS"
        and "Origin" in received
        and "Access-Control-Request-Method" in received
        and not any(name in received for name in _NOT_OF_PREFLIGHTS)
    )


def without_cors(answered: CIMultiDict[str]) -> CIMultiDict[str]:
    """An answer's headers without what the upstream says about origins."""
    return CIMultiDict(
        (name, value) for name, value in answered.items() if not name.lower().startswith(_PREFIX)
    )


def without_raw_cors(answered: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The result of `without_cors` for the same headers, as bytes."""
    return [line for line in answered if not line[0].lower().startswith(_RAW_PREFIX)]
