"""Types recognised by a file's first or last bytes, whatever libmagic says. Pure.

Further types that a file allows are reported as well: programs after a picture's head, markup after
blanks. Types denied by default are denied only on these signatures: each requires the structure
that makes a system run, install or open the file, which no other file has by chance.
"""

import re
from typing import Final

from workers.signatures import packages
from workers.signatures.data import is_json, is_letter
from workers.signatures.fonts import font_type
from workers.signatures.markup import markup_type, text_of
from workers.signatures.packages import SHORTCUT, package_types
from workers.signatures.programs import far_header, program_type
from workers.signatures.scripts import PHP, has_php, script_types

__all__ = ["SHORTCUT", "far_header", "types_of_head", "types_of_tail"]

_STREAM_PACKET: Final = 188
"""Bytes of an MPEG-2 transport stream's packet (ISO 13818-1 section 2.4.3)."""

_PDF_WITHIN: Final = 1024  # ISO 32000-1, implementation note 13

# A picture's head that begins a comment, or assigns something: a script to who asks for one. A
# width or size that is a `=` by chance is followed by bytes that no script has.
_SCRIPT_LIKE: Final = re.compile(rb"(?:GIF8[79]a|BM)(?:/\*|//|\s*=[\t\n\r -~]{3})")


def types_of_head(head: bytes, size: int | None = None, far: bytes = b"") -> list[str]:
    """Every type that a file's first bytes admit by the rules here, the surest first.

    Of a file of `size` bytes; without it, of one that is no longer than its head. `far` is what
    stands at `far_header`.
    """
    size = len(head) if size is None else size
    found = [program_type(head, size, far), *package_types(head), font_type(head)]
    if len(head) > 4 * _STREAM_PACKET and set(head[: 5 * _STREAM_PACKET : _STREAM_PACKET]) == {
        0x47
    }:
        found.append("video/mp2t")
    if head.find(b"%PDF-", 1, _PDF_WITHIN + 4) > 0:
        found.append("application/pdf")
    if _SCRIPT_LIKE.match(head):
        found.append("application/javascript")
    text = [*_text_types(head, whole=len(head) >= size)]
    if not text and has_php(head):
        text.append(PHP)
    return [kind for kind in (*found, *text) if kind is not None]


def types_of_tail(head: bytes, tail: bytes) -> list[str]:
    """Every type that a file's last bytes admit; its first bytes say what may be in them."""
    found = []
    if packages.is_disk_image(tail):
        found.append(packages.DISK_IMAGE)
    if packages.is_phar(tail) or packages.is_phar_tape(head, tail):
        found.append(packages.PHAR)
    return found


def _text_types(head: bytes, *, whole: bool) -> list[str]:
    """The types of a text that begins as a script, as markup or as data."""
    text = text_of(head)
    if scripts := script_types(text):
        return scripts
    markup = markup_type(text)
    if markup is not None:
        return [markup]
    if is_json(head, whole=whole):
        return ["application/json"]
    return ["message/rfc822"] if is_letter(head) else []
