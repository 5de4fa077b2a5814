"""Multipart bodies, by a library's parser: a fault of the gateway's own must not hide here."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from gateway.sandbox.call import Call
from gateway.sandbox.dispositions import filename_of
from gateway.sandbox.failures import client_error
from gateway.sandbox.parsing import parsed

_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]*)"|([^\s;,]+))""", re.IGNORECASE)
_LONGEST_LINE: Final = 256
_LARGEST_FIELD: Final = 1024 * 1024
_FILE: Final = "file"


@dataclass(slots=True)
class ReceivedFile:
    """A `file` part, whose bytes are in a file of the sandbox's."""

    name: str
    content_type: str
    path: Path
    size: int = 0


@dataclass(slots=True)
class ReceivedForm:
    """A complete form: its first file, and its fields by name."""

    file: ReceivedFile
    fields: dict[str, str] = field(default_factory=dict)

    def properties(self) -> dict[str, Any]:
        """The field `properties`, a JSON object as text. Raises Failure for any other."""
        properties = parsed(self.fields.get("properties", "{}"), "properties")
        if not isinstance(properties, dict):
            raise client_error("properties is not a JSON object")
        return properties


async def receive_form(call: Call) -> ReceivedForm:
    """Read the call's form, its first file onto the disk as it comes.

    Of several `file` parts the first one counts, as nothing is documented of the others. Raises
    Failure for a form without a file, with an empty one, or that is broken.
    """
    return (await _receive(call)).form()


async def receive_fields(call: Call) -> dict[str, str]:
    """The fields of a form that has no file. Raises Failure if it is broken."""
    return (await _receive(call)).fields


async def _receive(call: Call) -> "_Receiver":
    receiver: _Receiver | None = None
    opening = b""
    try:
        async for chunk in call.chunks():
            if receiver is not None:
                receiver.parser.write(chunk)
                continue
            opening += chunk
            boundary = _boundary(call.request.headers.get("Content-Type", ""), opening)
            if boundary is not None:
                receiver = _Receiver(boundary, call.state.files_dir)
                receiver.parser.write(opening)
        if receiver is None or not receiver.ended:
            raise client_error("the multipart body ends before its end")
    except FormParserError:
        raise client_error("the multipart body is malformed") from None
    finally:
        if receiver is not None:
            receiver.close()
    return receiver


def _boundary(content_type: str, opening: bytes) -> bytes | None:
    """The last boundary parameter, else the body's first line; None while that is incomplete."""
    declared = _BOUNDARY.findall(content_type)
    if declared:
        quoted, plain = declared[-1]
        return str(quoted or plain).encode()
    line, end, _ = opening.partition(b"\r\n")
    if not end and len(opening) < _LONGEST_LINE:
        return None
    if not end or not line.startswith(b"--"):
        raise client_error("the multipart body has no boundary")
    return line[2:]


class _Receiver:
    """The parser's callbacks: the file to disk, the fields to memory."""

    def __init__(self, boundary: bytes, directory: Path) -> None:
        self._directory = directory
        self._header = (bytearray(), bytearray())
        self._headers: dict[str, bytes] = {}
        self._file: ReceivedFile | None = None
        self._output: IO[bytes] | None = None
        self._field: tuple[str, bytearray] | None = None
        self.fields: dict[str, str] = {}
        self.ended = False
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def form(self) -> ReceivedForm:
        """The form, at the end of the body."""
        if self._file is None:
            raise client_error("Required part 'file' is not present")
        if self._file.size == 0:
            self._file.path.unlink()
            raise client_error("the file is empty")
        return ReceivedForm(self._file, self.fields)

    def close(self) -> None:
        """Remove what was written of an incomplete form."""
        if self._output is not None:
            self._output.close()
        if not self.ended and self._file is not None:
            self._file.path.unlink(missing_ok=True)

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[name.decode("latin-1").lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _on_headers_finished(self) -> None:
        disposition = self._headers.get("content-disposition", b"")
        _, options = parse_options_header(disposition)
        name = options.get(b"name", b"").decode(errors="replace")
        filename = filename_of(disposition.decode(errors="replace"))
        if filename is None:
            self._field = (name, bytearray())
        elif name == _FILE and self._file is None:
            content_type = self._headers.get("content-type", b"application/octet-stream")
            path = self._directory / uuid4().hex
            self._file = ReceivedFile(filename, content_type.decode("latin-1"), path)
            self._output = path.open("wb")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._output is not None and self._file is not None:
            self._output.write(memoryview(data)[start:end])
            self._file.size += end - start
        elif self._field is not None:
            self._field[1].extend(data[start:end])
            if len(self._field[1]) > _LARGEST_FIELD:
                raise client_error("a field is too large")

    def _on_part_end(self) -> None:
        if self._field is not None:
            name, text = self._field
            self.fields[name] = text.decode(errors="replace")
        if self._output is not None:
            self._output.close()
        self._field = self._output = None

    def _on_end(self) -> None:
        self.ended = True
