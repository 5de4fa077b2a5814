"""The bodies that `external` accepts: a form with exactly one file, or a file alone. Pure.

Only the gateway reads this body, so its own reading decides. If it is unclear what the sender
meant, the form is refused.
"""

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from gateway.delivery.meter import FileMeter
from gateway.delivery.relay.tap import FILE_PART
from gateway.errors import (
    EmptyFile,
    FileTooLarge,
    FormTooLarge,
    InvalidField,
    MalformedUpload,
    MissingFile,
    SeveralFiles,
)
from gateway.multipart import (
    TOLERATED,
    Event,
    MultipartError,
    PartBegin,
    PartData,
    PartEnd,
    Scanner,
    shown,
)
from gateway.uploads.record import File

_LISTED: Final = 5
"""How many parts the error lists if a form has no file."""


REFUSALS: Final = (
    EmptyFile,
    FileTooLarge,
    FormTooLarge,
    InvalidField,
    MalformedUpload,
    MissingFile,
    MultipartError,
    SeveralFiles,
)
"""What a form is refused for, by its content alone."""

_TOO_LARGE: Final = "a file may have at most {} bytes here"


class Form(msgspec.Struct, frozen=True):
    """A complete form: its file as measured, and the other parts in their order."""

    file: File
    fields: tuple[tuple[str, str], ...]


class Reader(Protocol):
    """Reads a body chunk by chunk and returns the bytes of its file."""

    def receive_data(self, chunk: bytes) -> Iterator[bytes]:
        """The file's bytes in this chunk. Raises what the body is refused for."""

    def finish(self) -> Form:
        """What the body was, at its end. Raises what the body is refused for."""


class FileReader:
    """Reads a body that is the file itself; all else was said in the head."""

    def __init__(
        self,
        described: PartBegin,
        fields: tuple[tuple[str, str], ...],
        *,
        max_file_size: int,
        sha256: bool,
    ) -> None:
        """Refuse a file above `max_file_size` bytes; `described` is what the client said of it."""
        self._described = described
        self._fields = fields
        self._max_file_size = max_file_size
        self._meter = FileMeter(crc32c=False, sha256=sha256)

    def receive_data(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk. Raises FileTooLarge."""
        self._meter.update(PartData(chunk, 0, len(chunk)))
        if self._meter.size > self._max_file_size:
            raise FileTooLarge(_TOO_LARGE.format(self._max_file_size))
        yield chunk

    def finish(self) -> Form:
        """The file and the fields. Raises EmptyFile."""
        if self._meter.size == 0:
            raise EmptyFile("the file has no bytes; send a file with content")
        return Form(self._meter.describe(self._described), self._fields)


class FormReader:
    """Reads a form chunk by chunk and returns the bytes of its file."""

    def __init__(
        self, scanner: Scanner, *, max_file_size: int, max_form_size: int, sha256: bool
    ) -> None:
        """Refuse a file above `max_file_size` bytes, and other parts above `max_form_size`.

        The writer that stores the bytes computes the CRC32C.
        """
        self._scanner = scanner
        self._max_file_size = max_file_size
        self._form_left = max_form_size
        self._meter = FileMeter(crc32c=False, sha256=sha256)
        self._file_part: PartBegin | None = None
        self._part: PartBegin | None = None
        self._names: list[str | None] = []
        self._text = bytearray()
        self._fields: list[tuple[str, str]] = []
        self.file_begin: int | None = None
        """The index of the file's first byte in the chunk in which the part's headers ended."""

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return self._meter.size

    def skip(self, size: int) -> None:
        """Go on behind the file's first bytes, when its part has just begun: see `Scanner.skip`."""
        self._scanner.skip(size)
        self._meter.skip(size)

    def receive_data(self, chunk: bytes) -> Iterator[bytes]:
        """The file's bytes in this chunk; a chunk that is all file is not copied.

        Raises MalformedUpload, SeveralFiles, FileTooLarge, FormTooLarge, InvalidField and what
        the scanner raises.
        """
        events = self._scanner.receive_data(chunk)
        # First, since odd headers of a part explain more than the error they lead to.
        self._refuse_ambiguity()
        for event in events:
            if (data := self._take(event)) is not None:
                yield data

    def finish(self) -> Form:
        """The form, at the end of the body.

        Raises MalformedUpload, MissingFile, EmptyFile and what `receive_data` raises.
        """
        events = self._scanner.finish()
        self._refuse_ambiguity()
        for event in events:
            self._take(event)
        if self._file_part is None:
            raise MissingFile(f"{self._listed()}; send the file as a part named `{FILE_PART}`")
        if self._meter.size == 0:
            number = self._names.index(FILE_PART) + 1
            raise EmptyFile(f"{shown(number, FILE_PART)} has no bytes; send a file with content")
        file = self._meter.describe(self._file_part)
        return Form(file, tuple(self._fields))

    def _take(self, event: Event) -> bytes | None:
        match event:
            case PartData():
                return self._data(event)
            case PartBegin():
                self._begin(event)
            case PartEnd():
                self._end()
        return None

    def _begin(self, part: PartBegin) -> None:
        self._part = part
        self._names.append(part.name)
        if part.name != FILE_PART:
            if part.filename is not None:
                raise InvalidField(
                    f"{self._shown()} has a filename, but only the part named `{FILE_PART}` may be"
                    " a file; rename it, or send it without a filename"
                )
            return
        if self._file_part is not None:
            raise SeveralFiles(
                f"{self._shown()} is a second file; send exactly one per request. ChatKitty's iOS"
                " SDK sends several if a message has several attachments"
            )
        self._file_part = part
        self.file_begin = self._scanner.begin_of(len(self._names))

    def _data(self, event: PartData) -> bytes | None:
        data = event.data
        if self._part is self._file_part:
            self._meter.update(event)
            if self._meter.size > self._max_file_size:
                raise FileTooLarge(_TOO_LARGE.format(self._max_file_size))
            return data
        self._form_left -= len(data)
        if self._form_left < 0:
            raise FormTooLarge(
                f"in {self._shown()}, the parts other than the file exceed their common"
                " limit; shorten them"
            )
        self._text += data
        return None

    def _end(self) -> None:
        if self._part is not None and self._part is not self._file_part:
            self._fields.append((self._part.name or "", self._decoded()))
            self._text.clear()
        self._part = None

    def _refuse_ambiguity(self) -> None:
        for reason in self._scanner.ambiguities:
            if reason not in TOLERATED:
                raise MalformedUpload(self._scanner.explain(reason))

    def _decoded(self) -> str:
        try:
            return self._text.decode()
        except UnicodeDecodeError as error:
            raise InvalidField(
                f"{self._shown()} is not UTF-8 text: see its byte {error.start + 1}; send text in"
                " UTF-8, and files as the part named `file`"
            ) from None

    def _shown(self) -> str:
        """The last part, as an error text names it."""
        return shown(len(self._names), self._names[-1])

    def _listed(self) -> str:
        if not self._names:
            return "the form has no parts"
        parts = [shown(number, name) for number, name in enumerate(self._names[:_LISTED], 1)]
        more = " and others" if len(self._names) > _LISTED else ""
        return f"the form has {', '.join(parts)}{more}"
