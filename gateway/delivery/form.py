"""The form that `external` takes: exactly one file, and text beside it. Pure.

Here we decide on our own reading of the body, so anything that two readers could see differently
is refused.
"""

from collections.abc import Iterator

import msgspec

from gateway.delivery.meter import FileMeter
from gateway.delivery.tap import FILE_PART
from gateway.errors import (
    EmptyFile,
    FileTooLarge,
    FormTooLarge,
    InvalidField,
    MalformedUpload,
    MissingFile,
    SeveralFiles,
)
from gateway.multipart import Event, PartBegin, PartData, PartEnd, Scanner
from gateway.uploads.record import File


class Form(msgspec.Struct, frozen=True):
    """A complete form: its file as it was counted, and the other parts in their order."""

    file: File
    fields: tuple[tuple[str, str], ...]


class FormReader:
    """Reads a form chunk by chunk and gives back the bytes of its file."""

    def __init__(
        self, scanner: Scanner, *, max_file_size: int, max_form_size: int, sha256: bool
    ) -> None:
        """Refuse a file above `max_file_size` bytes, and other parts above `max_form_size`.

        The CRC32C is left to whoever stores the bytes.
        """
        self._scanner = scanner
        self._max_file_size = max_file_size
        self._form_left = max_form_size
        self._meter = FileMeter(crc32c=False, sha256=sha256)
        self._file_part: PartBegin | None = None
        self._part: PartBegin | None = None
        self._text = bytearray()
        self._fields: list[tuple[str, str]] = []

    def receive_data(self, chunk: bytes) -> Iterator[bytes]:
        """The file's bytes in this chunk; a chunk that is all file is not copied.

        Raises MalformedUpload, SeveralFiles, FileTooLarge, FormTooLarge, InvalidField and what
        the scanner raises.
        """
        for event in self._scanner.receive_data(chunk):
            if (data := self._take(event)) is not None:
                yield data
        self._refuse_ambiguity()

    def finish(self) -> Form:
        """The form, at the end of the body.

        Raises MalformedUpload, MissingFile, EmptyFile and what `receive_data` raises.
        """
        for event in self._scanner.finish():
            self._take(event)
        self._refuse_ambiguity()
        if self._file_part is None:
            raise MissingFile("send the file as a part named `file`")
        if self._meter.size == 0:
            raise EmptyFile("the part named `file` has no bytes")
        file = self._meter.describe(self._file_part.filename, self._file_part.content_type)
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
        if part.name != FILE_PART:
            if part.filename is not None:
                raise InvalidField("only the part named `file` may carry a file")
            return
        if self._file_part is not None:
            raise SeveralFiles("send exactly one part named `file`")
        self._file_part = part

    def _data(self, event: PartData) -> bytes | None:
        data = event.data
        if self._part is self._file_part:
            self._meter.update(event)
            if self._meter.size > self._max_file_size:
                raise FileTooLarge(f"a file may have at most {self._max_file_size} bytes here")
            return data
        self._form_left -= len(data)
        if self._form_left < 0:
            raise FormTooLarge("the parts beside the file are too large")
        self._text += data
        return None

    def _end(self) -> None:
        if self._part is not None and self._part is not self._file_part:
            self._fields.append((self._part.name or "", _decoded(bytes(self._text))))
            self._text.clear()
        self._part = None

    def _refuse_ambiguity(self) -> None:
        if self._scanner.ambiguities:
            raise MalformedUpload(self._scanner.ambiguities[0].value)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise InvalidField("a part beside the file is not UTF-8 text") from None
