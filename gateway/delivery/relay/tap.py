"""Watches a relayed body as it passes: counts and hashes its files, keeps what shows their type.

The tap never delays or refuses a body: how the upstream reads it is what counts. It uses constant
memory. At bytes that it cannot read it stops, and reports that.
"""

import msgspec

from gateway.choices import Hash
from gateway.delivery.meter import FileMeter
from gateway.multipart import (
    DEFAULT_LIMITS,
    HARMLESS,
    Declared,
    Event,
    Limits,
    MultipartError,
    PartBegin,
    PartData,
    PartEnd,
    Scanner,
)
from gateway.uploads.excerpt import HEAD_BYTES, Piece
from gateway.uploads.record import File

FILE_PART = "file"
MAX_FILES = 50
"""Number of `file` parts that are described one by one: more than any client sends."""

PIECES_BYTES = 64 * 1024
"""Bytes kept of all files of an upload in addition to their first bytes."""


class Observation(msgspec.Struct, frozen=True):
    """What the tap saw: the files in order, and why the upstream may have seen others.

    `doubted`: the upstream may have read other files, not only other names for these.
    """

    files: tuple[File, ...]
    ambiguities: tuple[str, ...]
    doubted: bool = False


class Tap:
    """Observes the chunks of one body, in order."""

    def __init__(self, boundaries: Declared, hash_: Hash, limits: Limits = DEFAULT_LIMITS) -> None:
        self._scanner: Scanner | None = Scanner(boundaries, limits)
        self._hash = hash_
        self._part: PartBegin | None = None
        self._meter: FileMeter | None = None
        self._files: list[File] = []
        self._reasons: list[str] = []
        self._room = PIECES_BYTES

    def observe(self, chunk: bytes) -> None:
        """Observe the next chunk; it is not kept."""
        if self._scanner is None:
            return
        try:
            self._follow(self._scanner.receive_data(chunk))
        except MultipartError as error:
            self._give_up(str(error))

    def finish(self) -> Observation:
        """What the tap saw of the complete body."""
        if self._scanner is not None:
            try:
                self._follow(self._scanner.finish())
            except MultipartError as error:
                self._give_up(str(error))
        doubted = self._scanner is None
        if self._scanner is not None and (found := self._scanner.ambiguities):
            self._reasons.extend(reason.value for reason in found)
            doubted = not HARMLESS.issuperset(found)
        return Observation(tuple(self._files), tuple(self._reasons), doubted)

    def _follow(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case PartData():
                    if self._meter is not None:
                        self._meter.update(event)
                case PartBegin():
                    self._begin(event)
                case PartEnd():
                    self._end()

    def _begin(self, part: PartBegin) -> None:
        self._part = part
        if part.name == FILE_PART and len(self._files) < MAX_FILES:
            self._meter = FileMeter(
                crc32c=self._hash is not Hash.OFF,
                sha256=self._hash is Hash.SHA256,
                excerpt=True,
            )

    def _end(self) -> None:
        if self._meter is not None and self._part is not None:
            meter = self._meter
            pieces = self._kept_of(meter) if meter.size > HEAD_BYTES else ()
            self._files.append(meter.describe(self._part, pieces))
        self._meter = None

    def _kept_of(self, meter: FileMeter) -> tuple[Piece, ...]:
        """What is kept in addition to a file's first bytes, if there is room for it."""
        if not (pieces := meter.pieces()):
            return ()
        room = self._room
        for piece in pieces:
            room -= len(piece.data)
        if room < 0:
            return ()
        self._room = room
        return pieces

    def _give_up(self, reason: str) -> None:
        self._scanner = None
        self._meter = None
        self._reasons.append(reason)
