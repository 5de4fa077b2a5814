"""The state machine of a body with a known boundary: preamble, headers, data, epilogue."""

from enum import Enum, auto
from typing import Final

from gateway.multipart.ambiguity import Ambiguity
from gateway.multipart.delimiter import CLOSE, CRLF, Delimiter, LineWatch, Search, Verdict
from gateway.multipart.doubts import Doubts, Place, Region
from gateway.multipart.errors import (
    EpilogueTooLong,
    HeadersTooLong,
    NameTooLong,
    PreambleTooLong,
    TooManyHeaders,
    TooManyParts,
)
from gateway.multipart.events import Event, PartBegin, PartData, PartEnd
from gateway.multipart.headers import PartHead, parse_head
from gateway.multipart.limits import Limits

_BLANK_LINE: Final = CRLF + CRLF


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    DATA = auto()
    EPILOGUE = auto()


# Looking up a member of an enumeration is as slow as calling a function in Python 3.11.
_PREAMBLE, _HEADERS, _DATA, _EPILOGUE = _State

_REGIONS: Final = {
    _PREAMBLE: Region.PREAMBLE,
    _HEADERS: Region.HEADERS,
    _DATA: Region.CONTENT,
    _EPILOGUE: Region.EPILOGUE,
}


class Body:
    """The scanner behind `Scanner`; adds its doubts to the given ones."""

    def __init__(self, boundary: bytes, limits: Limits, doubts: Doubts) -> None:
        self._limits = limits
        self._doubts = doubts
        self._delimiter = Delimiter(boundary)
        self._search = Search(self._delimiter)
        self._events: list[Event] = []
        self._state = _PREAMBLE
        # A delimiter begins with a line break. The first one's may be the body's own beginning,
        # an empty part's the end of its headers: either is scanned with the data, but not counted.
        self._held = CRLF
        self._uncounted = len(CRLF)
        self._size = 0
        self._parts = 0
        self._block = bytearray()
        self._closing = b""
        self._boundary = boundary
        self._epilogue: LineWatch | None = None
        self.begins: list[int] = []
        """Of each part, the index of its first byte in the chunk in which its headers ended."""

    @property
    def complete(self) -> bool:
        """Whether the closing delimiter was found."""
        return self._state is _EPILOGUE

    def scan(self, chunk: bytes) -> list[Event]:
        """The events of the next bytes. Raises LimitExceeded."""
        events: list[Event] = []
        self._events = events
        if self._state is _DATA and not self._held:
            certain = self._delimiter.certain(chunk)
            if certain >= 0:
                self._hold(chunk, 0, certain)
                return events
        self._search.forget()
        position = self._opened(chunk) if self._state is _PREAMBLE else 0
        while position < len(chunk):
            if self._held:
                position = self._scan_seam(chunk, position)
            elif self._state is _HEADERS:
                position = self._scan_headers(chunk, position)
            elif self._state is _EPILOGUE:
                position = self._scan_epilogue(chunk, position)
            else:
                position = self._scan_data(chunk, position)
        return events

    def finish(self) -> list[Event]:
        """The last events: the bytes that were held back are data after all."""
        events: list[Event] = []
        self._events = events
        if self._state is _EPILOGUE:
            if self._closing not in {b"", CRLF}:
                self._doubt(Ambiguity.CLOSING_LINE)
            return events
        self._doubt(Ambiguity.TRUNCATED)
        if b"\n" in self._block.replace(CRLF, b""):
            # Its headers may be complete, except for the form of their line breaks.
            place = Place(Region.HEADERS, self._parts + 1, bytes(self._block))
            self._doubts.add(Ambiguity.HEADER_LINE_BREAK, place)
        if self._state is _DATA:
            self._take(self._held, 0, len(self._held))
        return events

    def skip(self, size: int) -> None:
        """Take `size` bytes of the part's data as scanned, which precede all that comes."""
        self._held = b""
        self._uncounted = 0
        self._size += size

    def _opened(self, chunk: bytes) -> int:
        """Where to begin: after the first delimiter if, as usual, the body begins with it."""
        opening = self._delimiter.opening
        if self._size or self._held is not CRLF or not chunk.startswith(opening):
            return 0
        self._held = b""
        self._state = _HEADERS
        return len(opening)

    # --- data and preamble ----------------------------------------------------------------------

    def _scan_data(self, data: bytes, start: int) -> int:
        """Scan part data, or the preamble, from index `start`; returns where to continue."""
        at = self._search.next(data, start)
        while at != -1:
            verdict = self._delimiter.verdict(data, at)
            if verdict is Verdict.PART:
                return self._end_part(data, start, at, _HEADERS)
            if verdict is Verdict.CLOSE:
                return self._end_part(data, start, at, _EPILOGUE)
            if verdict is Verdict.UNDECIDED:
                return self._hold(data, start, at - len(CRLF))
            self._note(verdict)
            at = self._search.next(data, at + 1)
        if self._state is _DATA:
            return self._hold(data, start, self._delimiter.tail(data, start))
        # In the preamble the boundary is searched within lines as well: see `_note`.
        return self._hold(data, start, max(start, len(data) - self._delimiter.reach + 1))

    def _scan_seam(self, chunk: bytes, position: int) -> int:
        """Scan the bytes held back, with as many new ones as are needed to interpret them."""
        held, self._held = self._held, b""
        seam = held + chunk[position : position + self._delimiter.reach]
        position += self._scan_data(seam, 0) - len(held)
        self._search.forget()
        if position < len(chunk):
            # The bytes held back now are in the chunk, and are found there again.
            position -= len(self._held)
            self._held = b""
        return position

    def _hold(self, data: bytes, start: int, end: int) -> int:
        self._take(data, start, end)
        self._held = data[end:]
        return len(data)

    def _take(self, data: bytes, start: int, end: int) -> None:
        """Count and pass on bytes `start` to `end`: they are no delimiter."""
        if start == end:
            return
        if self._uncounted:
            uncounted = min(self._uncounted, end - start)
            self._uncounted -= uncounted
            start += uncounted
        self._size += end - start
        if self._state is _DATA:
            if start < end:
                self._events.append(PartData(data, start, end))
        elif self._size > self._limits.max_preamble_bytes:
            longest = self._limits.max_preamble_bytes
            raise PreambleTooLong(f"More than {longest} bytes precede the first part.")

    def _note(self, verdict: Verdict) -> None:
        """Report once that the boundary occurs where it delimits nothing."""
        if verdict is Verdict.INLINE and self._state is _DATA:
            self._search.at_lines(self._delimiter)
            return
        # In the preamble an inline one counts too: some readers look for no line break there.
        self._doubt(Ambiguity.FALSE_DELIMITER)
        self._search.exactly(self._delimiter)

    def _end_part(self, data: bytes, start: int, at: int, after: _State) -> int:
        self._take(data, start, at - len(CRLF))
        if self._state is _DATA:
            self._events.append(PartEnd(self._size))
            if self._uncounted:
                self._doubt(Ambiguity.SHARED_LINE_BREAK)
        self._size = 0
        self._state = after
        return at - len(CRLF) + self._delimiter.reach

    # --- headers --------------------------------------------------------------------------------

    def _scan_headers(self, chunk: bytes, position: int) -> int:
        """Scan a header block, which begins after the delimiter's own line break."""
        if self._block:
            return self._scan_cut_headers(chunk, position)
        if chunk.startswith(CRLF, position):
            self._begin_part(b"", position + len(CRLF))
            return position
        longest = self._limits.max_header_bytes + len(_BLANK_LINE)
        end = chunk.find(_BLANK_LINE, position, position + longest)
        if end == -1:
            return self._scan_cut_headers(chunk, position)
        self._begin_part(chunk[position:end], end + len(_BLANK_LINE))
        return end + len(CRLF)

    def _scan_cut_headers(self, chunk: bytes, position: int) -> int:
        seen = len(self._block)
        longest = self._limits.max_header_bytes + len(_BLANK_LINE)
        self._block += chunk[position : position + longest - seen]
        end = _end_of_headers(self._block, seen)
        if end == -1 and len(self._block) == longest:
            raise HeadersTooLong(self._too_long())
        if end == -1:
            return len(chunk)
        block = bytes(self._block[: max(0, end - len(_BLANK_LINE))])
        self._begin_part(block, position + end - seen)
        self._block.clear()
        self._held = CRLF
        return position + end - seen

    def _too_long(self) -> str:
        """Why headers have no end within their limit, as far as that is known."""
        return (
            f"The headers of part {self._parts + 1} have more than"
            f" {self._limits.max_header_bytes} bytes, or no empty line of CRLF follows them."
        )

    def _begin_part(self, block: bytes, begin: int) -> None:
        self._parts += 1
        self.begins.append(begin)
        if self._parts > self._limits.max_parts:
            raise TooManyParts(f"The form has more than {self._limits.max_parts} parts.")
        if block.count(CRLF) >= self._limits.max_header_count:
            most = self._limits.max_header_count
            raise TooManyHeaders(f"Part {self._parts} has more than {most} headers.")
        if CLOSE in block and CRLF + self._delimiter.dashed in CRLF + block:
            self._doubt(Ambiguity.DELIMITER_IN_HEADERS)
        self._events.append(self._described(parse_head(block), block))
        self._uncounted = len(CRLF)
        self._state = _DATA

    def _described(self, head: PartHead, block: bytes) -> PartBegin:
        disposition = head.disposition
        name, longest = disposition.name, self._limits.max_name_length
        if name is not None and len(name) > longest:
            raise NameTooLong(f"The name of part {self._parts} has more than {longest} characters.")
        for reason in head.ambiguities:
            self._doubts.add(reason, Place(Region.HEADERS, self._parts, block))
        return PartBegin(
            name, disposition.filename, head.content_type, disposition.escaped, head.written
        )

    def _doubt(self, reason: Ambiguity) -> None:
        # The bytes after a delimiter belong to the next part, which has incomplete headers.
        part = self._parts + (self._state is _HEADERS)
        self._doubts.add(reason, Place(_REGIONS[self._state], part))

    # --- epilogue -------------------------------------------------------------------------------

    def _scan_epilogue(self, chunk: bytes, position: int) -> int:
        self._size += len(chunk) - position
        if self._size > self._limits.max_epilogue_bytes:
            longest = self._limits.max_epilogue_bytes
            raise EpilogueTooLong(f"More than {longest} bytes follow the closing boundary.")
        before = self._closing
        self._closing = (before + chunk[position : position + 2])[: len(CRLF)]
        if not CRLF.startswith(self._closing):
            self._doubt(Ambiguity.CLOSING_LINE)
        if self._size <= len(CRLF):
            return len(chunk)
        if self._epilogue is None:
            self._epilogue = LineWatch(self._boundary)
            self._epilogue.sees(before)
        if self._epilogue.sees(chunk[position:]):
            self._doubt(Ambiguity.SECOND_FORM)
        return len(chunk)


def _end_of_headers(block: bytearray, seen: int) -> int:
    """Where the blank line ends, -1 if not in the block; its first `seen` bytes were searched."""
    if block.startswith(CRLF):
        return len(CRLF)
    found = block.find(_BLANK_LINE, max(0, seen - len(_BLANK_LINE) + 1))
    return found if found == -1 else found + len(_BLANK_LINE)
