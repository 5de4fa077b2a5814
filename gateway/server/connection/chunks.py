"""Where a chunked body ends (RFC 9112 section 7.1). Pure.

The parser reads the body. This module only finds out which bytes belong to it, so that the parser
does not get those of the next request too early, and trailers are limited like heads.
"""

import re
from typing import Final

from gateway.errors import HeadTooLarge

_HEX: Final = re.compile(rb"[0-9a-fA-F]*")
_EMPTY_LINE: Final = len(b"\r\n")
_LARGEST: Final = 2**64
"""The largest chunk that our parsers accept."""


class Chunks:
    """Follows one chunked body without keeping any of it."""

    __slots__ = ("_digits", "_in_size", "_line", "_lost", "_most", "_size", "_skip", "_trailers")

    def __init__(self, most: int) -> None:
        """Allow at most `most` bytes of trailers, not counting the line of the last chunk."""
        self._most = most
        self._skip = 0
        """Bytes of a chunk, and of the line break after it, that are still to come."""
        self._size = 0
        self._digits = False
        """Whether the line of a chunk's size has had one digit."""
        self._in_size = True
        """Whether a digit may still follow; the rest of the line is an extension."""
        self._trailers: int | None = None
        """Bytes of the trailers so far; None before the last chunk."""
        self._line = 0
        """Bytes of the current line of the trailers."""
        self._lost = False

    def end_in(self, data: bytes) -> int | None:
        """The index in `data`, the next bytes, at which the body has ended; None if it goes on.

        A body with invalid chunks never ends here: the parser refuses it. Raises HeadTooLarge for
        trailers beyond their limit.
        """
        at = 0
        while at < len(data) and not self._lost:
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            newline = data.find(b"\n", at)
            stop = len(data) if newline < 0 else newline + 1
            if self._trailers is None:
                self._read_size(data, at, stop, whole=newline >= 0)
            elif self._read_trailer(stop - at, whole=newline >= 0):
                return stop
            at = stop
        return None

    def _read_size(self, data: bytes, at: int, stop: int, *, whole: bool) -> None:
        if self._in_size and (found := _HEX.match(data, at, stop)) is not None:
            digits = found[0]
            self._digits = self._digits or bool(digits)
            self._in_size = found.end() == stop
            self._size = self._size << 4 * len(digits) | int(digits or b"0", 16)
            self._lost = self._size >= _LARGEST
        if whole:
            self._lost = self._lost or not self._digits
            if self._size:
                self._skip = self._size + len(b"\r\n")
            else:
                self._trailers = 0
            self._size, self._digits, self._in_size = 0, False, True

    def _read_trailer(self, size: int, *, whole: bool) -> bool:
        """Count `size` bytes of the current line; returns whether it was the empty one."""
        self._trailers = (self._trailers or 0) + size
        self._line += size
        if self._trailers > self._most:
            raise HeadTooLarge(f"the trailers are larger than {self._most} bytes")
        if not whole:
            return False
        ended, self._line = self._line <= _EMPTY_LINE, 0
        return ended
