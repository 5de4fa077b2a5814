"""The header block of a part (RFC 7578 section 4.8), read once and in linear time."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.multipart.ambiguity import Ambiguity
from gateway.multipart.disposition import Disposition, parse_disposition
from gateway.multipart.parameters import TOKEN

CRLF: Final = b"\r\n"

Headers: TypeAlias = tuple[tuple[str, bytes], ...]

_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {0x09})
_UNDISTURBED: Final = frozenset({b"7bit", b"8bit", b"binary"})
_NAMELESS: Final = Disposition(None, None, frozenset({Ambiguity.NAME_MISSING}))


@dataclass(frozen=True, slots=True)
class PartHead:
    """A part's headers, and what they say."""

    headers: Headers
    disposition: Disposition
    content_type: str | None
    ambiguities: frozenset[Ambiguity]


def parse_head(block: bytes) -> PartHead:
    """The part's head from its header lines, without the line break of the last one.

    Never raises. A line that is no header is left out; of two headers that may occur once only,
    the first counts.
    """
    if not block:
        return PartHead((), _NAMELESS, None, _NAMELESS.ambiguities)
    lines = block.split(CRLF)
    headers, doubts = _fields(lines)
    doubts |= _character_doubts(lines) | _repetition_doubts(headers)
    values = dict(reversed(headers))
    value = values.get("content-disposition")
    disposition = _NAMELESS if value is None else parse_disposition(value)
    content_type = values.get("content-type")
    return PartHead(
        headers=headers,
        disposition=disposition,
        content_type=None if content_type is None else content_type.decode("utf-8", "replace"),
        ambiguities=disposition.ambiguities | doubts,
    )


def _fields(lines: list[bytes]) -> tuple[Headers, set[Ambiguity]]:
    fields: list[tuple[str, bytes]] = []
    doubts: set[Ambiguity] = set()
    for line in lines:
        if line.startswith((b" ", b"\t")):
            doubts.add(Ambiguity.HEADER_FOLDED)
            if fields:
                name, value = fields.pop()
                fields.append((name, value + b" " + line.strip(b" \t")))
            continue
        raw_name, colon, value = line.partition(b":")
        name = raw_name.decode("latin-1")
        if colon and TOKEN.fullmatch(name):
            fields.append((name.lower(), value.strip(b" \t")))
        else:
            doubts.add(Ambiguity.HEADER_MALFORMED)
    return tuple(fields), doubts


def _character_doubts(lines: list[bytes]) -> set[Ambiguity]:
    text = b"".join(lines)
    if len(text.translate(None, _CONTROLS)) == len(text):
        return set()
    doubts = set()
    if b"\r" in text or b"\n" in text:
        doubts.add(Ambiguity.HEADER_LINE_BREAK)
    if len(text.translate(None, _CONTROLS)) < len(text.translate(None, CRLF)):
        doubts.add(Ambiguity.HEADER_CONTROL)
    return doubts


def _repetition_doubts(headers: Headers) -> set[Ambiguity]:
    doubts = set()
    names = [name for name, _ in headers]
    if names.count("content-disposition") > 1 or names.count("content-type") > 1:
        doubts.add(Ambiguity.HEADER_REPEATED)
    if any(
        name == "content-transfer-encoding" and value.lower() not in _UNDISTURBED
        for name, value in headers
    ):
        doubts.add(Ambiguity.TRANSFER_ENCODING)
    return doubts
