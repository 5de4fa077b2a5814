"""The header block of a part (RFC 7578 section 4.8), read once and in linear time."""

import re
from typing import Final, TypeAlias

import msgspec

from gateway.multipart.ambiguity import Ambiguity
from gateway.multipart.disposition import Disposition, parse_disposition
from gateway.multipart.parameters import TOKEN

CRLF: Final = b"\r\n"

Headers: TypeAlias = tuple[tuple[str, bytes], ...]

_DISPOSITION: Final = "content-disposition"
_TYPE: Final = "content-type"
_TRANSFER_ENCODING: Final = "content-transfer-encoding"
_USUAL_NAMES: Final = {b"Content-Disposition": _DISPOSITION, b"Content-Type": _TYPE}
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {0x09})
_UNDISTURBED: Final = frozenset({b"7bit", b"8bit", b"binary"})
# commons-fileupload, which Tomcat and Spring use, continues with such a part's boundary.
_NESTED: Final = b"multipart/mixed"
_CERTAIN: Final[frozenset[Ambiguity]] = frozenset()
# A shortcut for what nearly every part has: reading header by header gives the same result. It is
# not taken if a name contains the word filename: then `_kept` decides.
_USUAL: Final = re.compile(
    r'Content-Disposition: form-data; name="(?![^"]*(?i:filename))([^"\\%=\x00-\x20\x7f-\xff]+)"'
    r'(?:; filename="(?![^"]*(?i:filename))([^"\\%=\x00-\x1f\x7f-\xff]*)")?'
    r"(?:\r\nContent-Type: (?![Mm][Uu][Ll])([!-~](?:[ -~]*[!-~])?))?"
)
_NAMELESS: Final = Disposition(None, None, frozenset({Ambiguity.NAME_MISSING}))


class PartHead(msgspec.Struct, frozen=True):
    """A part's headers, and what they mean.

    `written` is the value of its Content-Disposition; empty if its filename can only be read as it
    is written.
    """

    disposition: Disposition
    content_type: str | None
    ambiguities: frozenset[Ambiguity]
    written: bytes = b""


def parse_head(block: bytes) -> PartHead:
    """The part's head from its header lines, without the line break of the last one.

    Never raises. A line that is no header is left out; of two headers that may occur only once, the
    first counts.
    """
    if usual := _USUAL.fullmatch(block.decode("latin-1")):
        name, filename, content_type = usual.groups()
        return PartHead(Disposition(name, filename), content_type, _CERTAIN)
    return parse_head_fully(block)


def parse_head_fully(block: bytes) -> PartHead:
    """The same as `parse_head` without its shortcuts; both give the same result."""
    lines = block.split(CRLF) if block else []
    headers, doubts = _fields(lines)
    # A shortcut for the usual case: no header is repeated, and there are no control characters.
    if len(block.translate(None, _CONTROLS)) < len(block) - len(CRLF) * (len(lines) - 1):
        doubts |= _character_doubts(b"".join(lines))
    if not (block.isascii() or _is_utf8(block)):
        doubts.add(Ambiguity.HEADER_ENCODING)
    first = dict(reversed(headers))
    if len(first) < len(headers):
        doubts |= _repetition_doubts([name for name, _ in headers])
    if _TRANSFER_ENCODING in first:
        doubts |= _encoding_doubts(headers)
    value = first.get(_DISPOSITION)
    disposition = _NAMELESS if value is None else parse_disposition(value)
    content_type = first.get(_TYPE)
    if content_type is not None and content_type[: len(_NESTED)].lower() == _NESTED:
        doubts.add(Ambiguity.NESTED)
    return PartHead(
        disposition=disposition,
        content_type=None if content_type is None else content_type.decode("utf-8", "replace"),
        ambiguities=disposition.ambiguities | doubts,
        written=_kept(value, disposition.filename),
    )


def _kept(value: bytes | None, filename: str | None) -> bytes:
    """The Content-Disposition, unless its filename is written as browsers write a plain one."""
    if value is None or filename is None:
        return b""
    plain = value.endswith(b'; filename="' + filename.encode() + b'"')
    return b"" if plain and value.lower().count(b"filename") == 1 else value


def _fields(lines: list[bytes]) -> tuple[Headers, set[Ambiguity]]:
    fields: list[tuple[str, bytes]] = []
    doubts: set[Ambiguity] = set()
    for line in lines:
        raw_name, colon, value = line.partition(b":")
        name = _USUAL_NAMES.get(raw_name) or _header_name(raw_name)
        if name and colon:
            fields.append((name, value.strip(b" \t")))
        elif not (fields and line.startswith((b" ", b"\t"))):
            doubts.add(Ambiguity.HEADER_MALFORMED)
        else:
            doubts.add(Ambiguity.HEADER_FOLDED)
            name, value = fields.pop()
            fields.append((name, value + b" " + line.strip(b" \t")))
    return tuple(fields), doubts


def _header_name(raw: bytes) -> str | None:
    name = raw.decode("latin-1")
    return name.lower() if TOKEN.fullmatch(name) else None


def _character_doubts(text: bytes) -> set[Ambiguity]:
    doubts = set()
    if b"\r" in text or b"\n" in text:
        doubts.add(Ambiguity.HEADER_LINE_BREAK)
    if len(text.translate(None, _CONTROLS)) < len(text.translate(None, CRLF)):
        doubts.add(Ambiguity.HEADER_CONTROL)
    return doubts


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _repetition_doubts(names: list[str]) -> set[Ambiguity]:
    if names.count(_DISPOSITION) > 1 or names.count(_TYPE) > 1:
        return {Ambiguity.HEADER_REPEATED}
    return set()


def _encoding_doubts(headers: Headers) -> set[Ambiguity]:
    values = {value.lower() for name, value in headers if name == _TRANSFER_ENCODING}
    return set() if values <= _UNDISTURBED else {Ambiguity.TRANSFER_ENCODING}
