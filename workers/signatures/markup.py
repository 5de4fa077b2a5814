"""Markup, looked for as browsers do (WHATWG MIME Sniffing section 7.1), and never parsed. Pure."""

import codecs
import re
from typing import Final

_BLANKS: Final = "\t\n\x0c\r "
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HTML: Final = re.compile(
    r"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p"
    r"|meta|link|img|object|embed|form|svg|math|base)(?=[\s>/])",
    re.IGNORECASE | re.ASCII,
)
_SVG: Final = re.compile(r"<(?:\w+:)?svg[\s>/]", re.ASCII)
_XHTML: Final = re.compile(r"<(?:\w+:)?html[\s>/]", re.IGNORECASE | re.ASCII)

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def markup_type(text: str) -> str | None:
    """The type of a text that begins as markup, behind comments."""
    if not text.startswith("<"):
        return None
    declared = text.startswith("<?xml")
    begin = _COMMENT.sub("", text).lstrip(_BLANKS)
    if declared or _SVG.match(begin) or begin[:9].lower() == "<!doctype":
        return _document(begin, declared=declared)
    return "text/html" if _HTML.match(begin) or text.startswith("<!--") else None


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


def text_of(head: bytes) -> str:
    """The head as text, without its byte order mark and leading blanks.

    Decoded by that mark, else by where ASCII text in UTF-16 has zeros, else one byte a character.
    """
    return _decoded(head).lstrip(_BLANKS)


def _decoded(head: bytes) -> str:
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, errors="replace")
    sample = head[:64]
    if len(sample) >= 4 and not any(sample[1::2]) and all(sample[::2]):
        return head.decode("utf-16-le", errors="replace")
    if len(sample) >= 4 and not any(sample[::2]) and all(sample[1::2]):
        return head.decode("utf-16-be", errors="replace")
    return head.decode("latin-1")
