"""Types that a file's first or last bytes give away, whatever libmagic says. Pure.

What a file admits besides its type: programs behind a picture's head, markup behind blanks. Markup
is looked for as browsers do (WHATWG MIME Sniffing section 7.1), and never parsed.
"""

import codecs
import re
from typing import Final

SHORTCUT: Final = bytes.fromhex("4c0000000114020000000000c000000000000046")

_AT_THE_START: Final = (
    (SHORTCUT, "application/x-ms-shortcut"),
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"dex\n", "application/x-dex"),
    (b"Cr24", "application/x-chrome-extension"),
    (b"xar!", "application/x-xar"),
    (b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"\0asm", "application/wasm"),
    (b"wOF2", "font/woff2"),
)
_SCRIPT: Final = "text/x-shellscript"
_SCRIPT_HEAD: Final = re.compile(rb"#!(?!AMR)")
"""Voice messages of many phones begin with `#!AMR`."""

_STREAM_PACKET: Final = 188
"""Bytes of an MPEG-2 transport stream's packet (ISO 13818-1 section 2.4.3)."""

_CAFE: Final = b"\xca\xfe\xba\xbe"
_MOST_SLICES: Final = 40
"""Of a universal Mach-O; where it has their number, a Java class has its version, from 45 on."""

_COMPOUND: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_INSTALLER_CLASS: Final = bytes.fromhex("84100c0000000000c000000000000046")

_PDF_WITHIN: Final = 1024  # ISO 32000-1, implementation note 13
_PHAR: Final = b"__HALT_COMPILER();"
_PHP: Final = re.compile(rb"<\?php[\s]", re.IGNORECASE)
_DISK_IMAGE: Final = b"koly"
_DISK_IMAGE_SIZE: Final = 512

# A picture's head that begins a comment, or assigns something: a script to who asks for one. A
# width or size that is a `=` by chance is followed by bytes that no script has.
_SCRIPT_LIKE: Final = re.compile(rb"(?:GIF8[79]a|BM)(?:/\*|//|\s*=[\t\n\r -~]{3})")

_BLANKS: Final = "\t\n\x0c\r "
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HTML: Final = re.compile(
    r"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p"
    r"|meta|link|img|object|embed|form|svg|math|base)(?=[\s>/])",
    re.IGNORECASE,
)
_SVG: Final = re.compile(r"<(?:\w+:)?svg[\s>/]")
_XHTML: Final = re.compile(r"<(?:\w+:)?html[\s>/]", re.IGNORECASE)
_BATCH: Final = "@echo off"

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def types_of_head(head: bytes) -> list[str]:
    """Every type that a file's first bytes admit by the rules here, the surest first."""
    found = [kind for signature, kind in _AT_THE_START if head.startswith(signature)]
    if _SCRIPT_HEAD.match(head):
        found.append(_SCRIPT)
    if len(head) > 4 * _STREAM_PACKET and set(head[: 5 * _STREAM_PACKET : _STREAM_PACKET]) == {
        0x47
    }:
        found.append("video/mp2t")
    if head.startswith(_CAFE) and len(head) >= 8:
        slices = int.from_bytes(head[4:8])
        universal = slices <= _MOST_SLICES
        found.append("application/x-mach-binary" if universal else "application/x-java-applet")
    return [*found, *_hidden_types(head)]


def _hidden_types(head: bytes) -> list[str]:
    """What a file is besides what its first bytes say."""
    found = []
    if head.startswith(_COMPOUND) and _INSTALLER_CLASS in head:
        found.append("application/x-msi")
    if 0 < head.find(b"%PDF-") < _PDF_WITHIN:
        found.append("application/pdf")
    if _PHAR in head:
        found.append("application/x-phar")
    if _SCRIPT_LIKE.match(head):
        found.append("application/javascript")
    markup = _markup(head)
    if markup is not None:
        found.append(markup)
    elif _PHP.search(head) is not None and not _is_text(head):
        found.append("text/x-php")
    return found


def types_of_tail(tail: bytes) -> list[str]:
    """Every type that a file's last bytes admit."""
    found = []
    if tail[-_DISK_IMAGE_SIZE:].startswith(_DISK_IMAGE) and len(tail) >= _DISK_IMAGE_SIZE:
        found.append("application/x-apple-diskimage")
    if _PHAR in tail:
        found.append("application/x-phar")
    return found


def _markup(head: bytes) -> str | None:
    """The type of a text that begins as markup or as a script, behind whatever it is hidden."""
    text = _text(head)
    begin = text.lstrip(_BLANKS)
    if begin.startswith("#!") and not head.startswith(b"#!"):
        return _SCRIPT
    if begin[: len(_BATCH)].lower() == _BATCH:
        return "text/x-msdos-batch"
    if not begin.startswith("<"):
        return None
    if begin[:5].lower() == "<?php":
        return "text/x-php"
    declared = begin.startswith("<?xml")
    begin = _COMMENT.sub("", begin).lstrip(_BLANKS)
    if declared or _SVG.match(begin) or begin[:9].lower() == "<!doctype":
        return _document(begin, declared=declared)
    return "text/html" if _HTML.match(begin) or text.lstrip(_BLANKS).startswith("<!--") else None


def _document(begin: str, *, declared: bool) -> str | None:
    """The type of a document with an XML declaration, a document type, or an SVG element."""
    html, svg = _XHTML.search(begin), _SVG.search(begin)
    if not declared and (html or re.match(r"<!doctype\s+html", begin, re.IGNORECASE)):
        return "text/html"
    if svg and not (html and html.start() < svg.start()):
        return "image/svg+xml"
    if html:
        return "application/xhtml+xml"
    return "application/xml" if declared else None


def _text(head: bytes) -> str:
    """The head as text, by its byte order mark, or by where a text of ASCII has its zeros."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, errors="replace")
    sample = head[:64]
    if len(sample) >= 4 and not any(sample[1::2]) and all(sample[::2]):
        return head.decode("utf-16-le", errors="replace")
    if len(sample) >= 4 and not any(sample[::2]) and all(sample[1::2]):
        return head.decode("utf-16-be", errors="replace")
    return head.decode("latin-1")


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and not head.startswith((b"%PDF", b"\xff\xd8", b"GIF8", b"\x89PNG"))
