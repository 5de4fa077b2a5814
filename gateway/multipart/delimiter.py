"""Finds delimiters in some bytes, and the beginning of one that may end in the next bytes.

A delimiter (RFC 2046 section 5.1.1) is CRLF `--boundary`, then CRLF before a part or `--` after the
last one. Only its first byte and its last two can be a CR, which makes the search simple: in a run
of bytes, only the last CR or LF, or the CR before a whole delimiter line, can begin an incomplete
delimiter.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, cast

import stringzilla

find: Final = cast("Callable[[bytes, bytes, int], int]", stringzilla.find)
"""`bytes.find` by SIMD: half the cost, even on bytes that resemble the needle."""

CR: Final = b"\r"
LF: Final = b"\n"
CRLF: Final = b"\r\n"
CLOSE: Final = b"--"


_UNKNOWN: Final = -2


class Verdict(Enum):
    """What an occurrence of `--boundary` is."""

    PART = auto()
    CLOSE = auto()
    FALSE_LINE = auto()
    """It begins a line, but the line break is bare or the line continues."""
    INLINE = auto()
    """It is within a line, where every reader sees data."""
    UNDECIDED = auto()
    """The bytes end before that is known."""


class Delimiter:
    """The forms of one boundary's delimiter, and how bytes are compared with them."""

    __slots__ = ("_bare", "_exact", "dashed", "opening", "reach")

    def __init__(self, boundary: bytes) -> None:
        self.dashed = CLOSE + boundary
        self.opening = self.dashed + CRLF
        self._exact = (CRLF + self.dashed + CRLF, CRLF + self.dashed + CLOSE)
        self._bare = (CR + self.dashed, LF + self.dashed)
        self.reach = len(self._exact[0])
        """Bytes of the longest form; one less is the most that is ever held back."""

    def certain(self, data: bytes) -> int:
        """How many of these bytes are data, whatever follows; -1 if the boundary is among them.

        Most chunks of a file need only this check.
        """
        if find(data, self.dashed, 0) != -1:
            return -1
        lowest = -self.reach
        if data.rfind(LF, lowest) == -1 == data.rfind(CR, lowest):
            return len(data)
        return self.tail(data, 0)

    def verdict(self, data: bytes, at: int) -> Verdict:
        """What `--boundary` at index `at` is."""
        before = data[max(0, at - len(CRLF)) : at]
        if not before.endswith((CR, LF)):
            return Verdict.INLINE
        if before != CRLF:
            return Verdict.FALSE_LINE
        end = at + len(self.dashed)
        after = data[end : end + 2]
        if after == CRLF:
            return Verdict.PART
        if after == CLOSE:
            return Verdict.CLOSE
        return Verdict.UNDECIDED if after in (b"", CR, b"-") else Verdict.FALSE_LINE

    def tail(self, data: bytes, start: int) -> int:
        """The index from which `data` may begin a delimiter, exact or not; its length if none."""
        end = len(data)
        lowest = max(start, end - self.reach + 1)
        line_feed = data.rfind(LF, lowest)
        carriage_return = data.rfind(CR, lowest)
        if line_feed == carriage_return == -1:
            return end
        if carriage_return == end - 1:
            front = data.rfind(CR, lowest, end - 1)
            return front if self._opens(data, front, self._exact) else end - 1
        if self._opens(data, carriage_return, self._exact + self._bare[:1]):
            return carriage_return
        return line_feed if self._opens(data, line_feed, self._bare[1:]) else end

    def _opens(self, data: bytes, at: int, forms: tuple[bytes, ...]) -> bool:
        rest = data[at:]
        return at >= 0 and any(form.startswith(rest) for form in forms)


class Search:
    """Finds where delimiters may be, each byte searched once per needle and buffer.

    At first it searches `--boundary` anywhere, which costs one pass. Hostile bytes can be full of
    it. So after an occurrence within a line, it searches for line breaks as well, and after a false
    delimiter (which was reported), only for exact ones: no occurrence without news costs a step.
    """

    __slots__ = ("_ahead", "_lead", "_needles")

    def __init__(self, delimiter: Delimiter) -> None:
        self._ahead: dict[bytes, int] = {}
        self._needles: tuple[bytes, ...] = (delimiter.dashed,)
        self._lead = 0

    def at_lines(self, delimiter: Delimiter) -> None:
        """From now on, find `--boundary` only at the beginning of lines."""
        self._needles = (LF + delimiter.dashed, CR + delimiter.dashed)
        self._lead = 1

    def exactly(self, delimiter: Delimiter) -> None:
        """From now on, find only exact delimiters."""
        line = CRLF + delimiter.dashed
        self._needles = (line + CRLF, line + CLOSE)
        self._lead = 2

    def forget(self) -> None:
        """Forget the results of the last bytes, since other bytes follow."""
        self._ahead.clear()

    def next(self, data: bytes, begin: int) -> int:
        """The index of the next `--boundary` whose needle is at `begin` or later, or -1."""
        nearest = -1
        for needle in self._needles:
            found = self._ahead.get(needle, _UNKNOWN)
            if found < begin and found != -1:
                found = self._ahead[needle] = find(data, needle, begin)
            if found != -1 and not -1 < nearest < found:
                nearest = found
        return nearest if nearest == -1 else nearest + self._lead


class LineWatch:
    """Whether a line of a stream begins with `--boundary`, however its line break is written."""

    __slots__ = ("_needles", "_tail")

    def __init__(self, boundary: bytes) -> None:
        self._needles = tuple(end + CLOSE + boundary for end in (LF, CR))
        self._tail = b""

    def sees(self, chunk: bytes) -> bool:
        """Whether such a line begins in the chunk, or began before and is complete with it."""
        reach = len(self._needles[0]) - 1
        seam = self._tail + chunk[:reach]
        self._tail = (seam if len(chunk) < reach else chunk)[-reach:]
        if len(chunk) <= reach >= len(seam):
            return False
        return any(
            find(seam, needle, 0) >= 0 or find(chunk, needle, 0) >= 0 for needle in self._needles
        )
