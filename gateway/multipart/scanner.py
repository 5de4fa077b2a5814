"""A multipart body as events: the boundary that it uses, and whether others would fit as well."""

from typing import Final

from gateway.multipart.ambiguity import Ambiguity
from gateway.multipart.body import Body
from gateway.multipart.boundary import MAX_BOUNDARY, Declared, checked_boundary
from gateway.multipart.delimiter import CLOSE, CRLF, LineWatch
from gateway.multipart.doubts import Doubts, Place
from gateway.multipart.errors import InvalidBoundary
from gateway.multipart.events import Event
from gateway.multipart.limits import DEFAULT_LIMITS, Limits

MAX_RIVALS: Final = 3
"""Declared boundaries that are watched in addition to the one in use: each costs its own pass."""

_LONGEST_LINE: Final = len(CLOSE) + MAX_BOUNDARY + len(CRLF)


class Scanner:
    """One multipart body, fed in chunks that may be cut anywhere.

    The way it is cut changes neither the events (except the number of PartData) nor the
    ambiguities. At most one header block is held back, or the beginning of a delimiter (the
    boundary, 4 bytes, and the next byte while it is not certain). Time and memory do not grow with
    the body. After an error the scanner cannot be used any more.
    """

    def __init__(self, declared: Declared, limits: Limits = DEFAULT_LIMITS) -> None:
        self._candidates = declared.candidates
        self._limits = limits
        self._doubts = Doubts()
        self._opening = b""
        self._body: Body | None = None
        self._rivals: list[LineWatch] = []
        if declared.other_type:
            self._doubts.add(Ambiguity.OTHER_TYPE, Place())
        if declared.ambiguous:
            self._doubts.add(Ambiguity.BOUNDARY_PARAMETER, Place())
        if len(declared.candidates) == 1:
            self._body = self._settle(declared.candidates[0])

    @property
    def ambiguities(self) -> tuple[Ambiguity, ...]:
        """What other readers could see differently in the body so far, each ambiguity once."""
        if not self._doubts:
            return ()
        return tuple(reason for reason in Ambiguity if reason in self._doubts)

    def explain(self, reason: Ambiguity) -> str:
        """The text about one of the ambiguities for the sender: where it is, and what to change."""
        return self._doubts.explain(reason)

    @property
    def complete(self) -> bool:
        """Whether the closing delimiter was found."""
        return self._body is not None and self._body.complete

    def begin_of(self, part: int) -> int:
        """The index of a part's first byte in the chunk in which its headers ended.

        `part` counts from 1, and has begun. Raises ValueError if no part can have begun.
        """
        return self._settled().begins[part - 1]

    def skip(self, size: int) -> None:
        """Go on behind `size` bytes, which belong to the part that began last.

        They were read by another scanner, which was certain of them, and nothing of the part was
        read by this one. Not for a body with several declared boundaries, all of which are watched.
        Raises ValueError if no part can have begun.
        """
        self._settled().skip(size)

    def receive_data(self, chunk: bytes) -> list[Event]:
        """The events of the body's next bytes.

        Raises LimitExceeded, or InvalidBoundary if no declared boundary fits.
        """
        if self._body is None:
            return self._open(chunk)
        if self._rivals:
            self._watch(chunk)
        return self._body.scan(chunk)

    def finish(self) -> list[Event]:
        """The last events, at the end of the body. A part that is cut off gets no PartEnd.

        Raises InvalidBoundary if no declared boundary fitted.
        """
        if self._body is not None:
            return self._body.finish()
        self._body = self._settle(self._boundary_in_use(self._opening))
        return self.receive_data(self._opening) + self._body.finish()

    def _open(self, chunk: bytes) -> list[Event]:
        """Choose the boundary by the body's first line, as soon as it has arrived."""
        waiting = self._opening
        self._opening += chunk[: _LONGEST_LINE - len(waiting)]
        if len(self._opening) < _LONGEST_LINE and CRLF not in self._opening:
            return []
        self._body = self._settle(self._boundary_in_use(self._opening))
        return self.receive_data(waiting) + self.receive_data(chunk)

    def _boundary_in_use(self, opening: bytes) -> bytes:
        """The boundary in the first line, else the last one declared, as curl means it."""
        line, line_break, _ = opening.partition(CRLF)
        opened = line[len(CLOSE) :] if line_break and line.startswith(CLOSE) else b""
        if opened in self._candidates:
            return opened
        if self._candidates:
            self._doubts.add(Ambiguity.BOUNDARY_UNUSED, Place())
            return self._candidates[-1]
        if not opened:
            raise InvalidBoundary("No boundary is declared, and the body does not begin with one.")
        return checked_boundary(opened.decode("latin-1"))

    def _settled(self) -> Body:
        if self._body is None:
            raise ValueError("the boundary is not known yet")
        return self._body

    def _settle(self, boundary: bytes) -> Body:
        if self._candidates != (boundary,):
            self._watch_rivals([other for other in self._candidates if other != boundary])
        return Body(boundary, self._limits, self._doubts)

    def _watch_rivals(self, rivals: list[bytes]) -> None:
        if len(rivals) > MAX_RIVALS:
            self._doubts.add(Ambiguity.BOUNDARY_PARAMETER, Place())
        else:
            self._rivals = [LineWatch(rival) for rival in rivals]

    def _watch(self, chunk: bytes) -> None:
        if any(rival.sees(chunk) for rival in self._rivals):
            self._doubts.add(Ambiguity.BOUNDARIES_MIXED, Place())
            self._rivals = []
