"""Links of ChatKitty's JSON answers that lead to the gateway instead, streamed. Pure.

A link is the value of `href`, at any depth of an `_links`: only that is changed, and only if it
begins with ChatKitty's origin. What clients put into `properties` is theirs, and a file's `url` and
all other members stay. The text is not parsed: anything that is not JSON passes unchanged.
"""

import re
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

_LINKS: Final = b"_links"
_HREF: Final = b"href"
_OPAQUE: Final = b"properties"
_LONGEST_KEY: Final = len(_OPAQUE)

_JSON: Final = re.compile(r"application/(?:[\w.+-]+\+)?json", re.ASCII | re.IGNORECASE)
_TELLING: Final = re.compile(rb'["{}\[\]:,]')
"""Outside of strings, all that matters."""

_IN_STRING: Final = re.compile(rb'["\\]')
_ENDS: Final = re.compile(rb'[/?#"]|\\/')
"""What may follow an origin, if it is not the beginning of another one."""


OF_THE_BYTES: Final = frozenset(
    {b"content-length", b"content-digest", b"repr-digest", b"digest", b"content-md5"}
)
"""Headers that are true of the original bytes only."""


def has_links(status: int, answered: CIMultiDictProxy[str]) -> bool:
    """Whether an answer may have links that can be changed.

    Not if it is encoded, a part, or must not be transformed (RFC 9110 section 7.7).
    """
    coding = answered.get("Content-Encoding", "identity").strip().lower()
    kept = ",".join(answered.getall("Cache-Control", ())).lower()
    return (
        status not in (204, 206, 304)
        and coding in ("", "identity")
        and "no-transform" not in kept
        and _JSON.fullmatch(answered.get("Content-Type", "").partition(";")[0].strip()) is not None
    )


def without_sums(answered: CIMultiDict[str]) -> CIMultiDict[str]:
    """The headers of an answer with other links than ChatKitty's."""
    kept = (line for line in answered.items() if line[0].lower().encode() not in OF_THE_BYTES)
    return CIMultiDict(kept)


class Rewriter:
    """Has the links of answers lead to the gateway."""

    __slots__ = ("_origin", "_to")

    def __init__(self, upstream_url: str, public_url: str) -> None:
        """Replace the origin of the one URL by the other."""
        self._origin = str(URL(upstream_url).origin()).encode()
        self._to = public_url.rstrip("/").encode()

    def of(self, status: int, answered: CIMultiDictProxy[str]) -> "Links | None":
        """What changes the links of an answer; None if the answer has none that can be changed."""
        return Links(self._origin, self._to) if has_links(status, answered) else None


class Links:
    """Changes the links of one answer; holds no more than an origin's length of it."""

    __slots__ = (
        "_depth", "_escaped", "_held", "_key", "_links_at", "_name", "_opaque_at", "_origin",
        "_reads_link", "_string", "_to",
    )  # fmt: skip

    def __init__(self, origin: bytes, to: bytes) -> None:
        """Replace `origin`, with or without escaped slashes, by `to` at the beginning of links."""
        self._origin = origin
        self._to = to
        self._held = b""
        """The beginning of a link that may be ChatKitty's."""
        self._reads_link = False
        self._string = False
        """Whether the text is within a string."""
        self._escaped = False
        """Whether the next byte belongs to an escape."""
        self._key = b""
        """The string that was read last, as far as a key of interest is long."""
        self._name = b""
        """The key of the value that follows."""
        self._depth = 0
        self._links_at = 0
        """The depth of the outermost `_links`, 0 outside of any."""
        self._opaque_at = 0
        """The depth of the outermost `properties`, 0 outside of any."""

    def feed(self, data: bytes) -> bytes:
        """The next bytes, as far as they can be passed on."""
        passed: list[bytes] = []
        at = 0
        while at < len(data):
            if self._reads_link:
                at = self._read_link(data, at, passed)
            elif self._string:
                at = self._read_string(data, at, passed)
            else:
                at = self._read_text(data, at, passed)
        return b"".join(passed)

    def whole(self, body: bytes) -> bytes:
        """All of an answer's body."""
        return self.feed(body) + self.end()

    def end(self) -> bytes:
        """What is left at the end of the answer."""
        held, self._held, self._reads_link = self._held, b"", False
        return held

    def _read_text(self, data: bytes, at: int, passed: list[bytes]) -> int:
        """Outside of strings, up to the next byte that matters."""
        found = _TELLING.search(data, at)
        if found is None:
            passed.append(data[at:])
            return len(data)
        end = found.end()
        passed.append(data[at:end])
        match found[0]:
            case b'"':
                is_link = self._name == _HREF and self._links_at and not self._opaque_at
                self._string, self._reads_link, self._key = True, bool(is_link), b""
                self._name = b""
            case b":":
                self._name = self._key
            case b"{" | b"[":
                self._open()
            case b"}" | b"]":
                self._close()
            case _:
                self._name = b""
        return end

    def _open(self) -> None:
        self._depth += 1
        if self._name == _LINKS and not self._links_at:
            self._links_at = self._depth
        elif self._name == _OPAQUE and not self._opaque_at:
            self._opaque_at = self._depth
        self._name = b""

    def _close(self) -> None:
        if self._links_at == self._depth:
            self._links_at = 0
        if self._opaque_at == self._depth:
            self._opaque_at = 0
        self._depth -= 1
        self._name = b""

    def _read_string(self, data: bytes, at: int, passed: list[bytes]) -> int:
        """Within a string, up to its end."""
        start = at
        if self._escaped:
            self._escaped = False
            at += 1
        while (found := _IN_STRING.search(data, at)) is not None:
            at = found.end()
            if found[0] == b'"':
                self._string = False
                break
            if at == len(data):
                self._escaped = True
                break
            at += 1
        else:
            at = len(data)
        if len(self._key) <= _LONGEST_KEY:
            self._key += data[start : start + _LONGEST_KEY + 1][: at - start]
            if not self._string:
                self._key = self._key.removesuffix(b'"')
        passed.append(data[start:at])
        return at

    def _read_link(self, data: bytes, at: int, passed: list[bytes]) -> int:
        """At the beginning of a link, until it is clear whether it is ChatKitty's."""
        known = len(self._held)
        held = self._held + data[at : at + 2 * len(self._origin) + 2]
        size = _origin_of(held, self._origin)
        if size is None:  # it may still become one
            self._held = held
            return at + len(held) - known
        self._held, self._reads_link = b"", False
        if size:
            passed.append(self._to)
            return at + size - known
        passed.append(held[:known])
        self._escaped = held[:known].endswith(b"\\")
        return at


def _origin_of(held: bytes, origin: bytes) -> int | None:
    """How long the origin is at the beginning of a string, 0 if it is not there.

    None if that cannot be said yet.
    """
    at = 0
    for byte in origin:
        if byte == ord("/") and held[at : at + 1] == b"\\":
            at += 1
        if at >= len(held):
            return None
        if held[at] != byte:
            return 0
        at += 1
    if held[at:] in (b"", b"\\"):
        return None
    return at if _ENDS.match(held, at) else 0
