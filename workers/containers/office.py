"""Which kind of Office document (ECMA-376) an archive is, by its list of content types and names.

The list is searched, not parsed.
"""

from collections.abc import Sequence
from typing import Final

LIST: Final = b"[Content_Types].xml"

MACROS: Final = "application/vnd.ms-office.vbaproject"
"""The additional type of a document with macros: in old formats only this shows them."""

_OOXML: Final = "application/vnd.openxmlformats-officedocument."
_WORD: Final = "application/vnd.ms-word."
_EXCEL: Final = "application/vnd.ms-excel."
_VISIO: Final = "application/vnd.ms-visio."
_POWERPOINT: Final = "application/vnd.ms-powerpoint."

# By what names a document's main part in the list. Those with macros first: one is enough.
_MAIN: Final = {
    b"ms-word.document.macroenabled.main": _WORD + "document.macroenabled.12",
    b"ms-word.template.macroenabledtemplate.main": _WORD + "template.macroenabled.12",
    b"ms-excel.sheet.binary.macroenabled.main": _EXCEL + "sheet.binary.macroenabled.12",
    b"ms-excel.sheet.macroenabled.main": _EXCEL + "sheet.macroenabled.12",
    b"ms-excel.template.macroenabled.main": _EXCEL + "template.macroenabled.12",
    b"ms-excel.addin.macroenabled.main": _EXCEL + "addin.macroenabled.12",
    b"ms-powerpoint.presentation.macroenabled.main": _POWERPOINT + "presentation.macroenabled.12",
    b"ms-powerpoint.slideshow.macroenabled.main": _POWERPOINT + "slideshow.macroenabled.12",
    b"ms-powerpoint.template.macroenabled.main": _POWERPOINT + "template.macroenabled.12",
    b"ms-powerpoint.addin.macroenabled.main": _POWERPOINT + "addin.macroenabled.12",
    b"wordprocessingml.document.main": _OOXML + "wordprocessingml.document",
    b"wordprocessingml.template.main": _OOXML + "wordprocessingml.template",
    b"spreadsheetml.sheet.main": _OOXML + "spreadsheetml.sheet",
    b"spreadsheetml.template.main": _OOXML + "spreadsheetml.template",
    b"presentationml.presentation.main": _OOXML + "presentationml.presentation",
    b"presentationml.slideshow.main": _OOXML + "presentationml.slideshow",
    b"presentationml.template.main": _OOXML + "presentationml.template",
    b"ms-visio.drawing.macroenabled.main": _VISIO + "drawing.macroenabled.12",
    b"ms-visio.stencil.macroenabled.main": _VISIO + "stencil.macroenabled.12",
    b"ms-visio.template.macroenabled.main": _VISIO + "template.macroenabled.12",
    b"ms-visio.drawing.main": _VISIO + "drawing",
    b"ms-visio.stencil.main": _VISIO + "stencil",
    b"ms-visio.template.main": _VISIO + "template",
}

# Where the list was not at hand: by the folder of the document's parts, without and with macros.
_BY_FOLDER: Final = {
    "word/": (_OOXML + "wordprocessingml.document", _WORD + "document.macroenabled.12"),
    "xl/": (_OOXML + "spreadsheetml.sheet", _EXCEL + "sheet.macroenabled.12"),
    "ppt/": (_OOXML + "presentationml.presentation", _POWERPOINT + "presentation.macroenabled.12"),
    "visio/": (_VISIO + "drawing", _VISIO + "drawing.macroenabled.12"),
}
_MACRO_NAMES: Final = ("vbaproject.bin", "vbadata.xml", "vbaprojectsignature.bin")
_MACRO_MARKS: Final = (b"vbaproject", b"&#", b"<!entity")
_MACRO_SHEETS: Final = "xl/macrosheets/"


def office_types(names: Sequence[str], content_types: bytes) -> list[str]:
    """The document's types, the likeliest first; empty if it is none."""
    said = content_types.replace(b"\0", b"").lower()  # in UTF-16 it says the same
    lowered = [name.lower() for name in names]
    macros = any(name.endswith(_MACRO_NAMES) or name.startswith(_MACRO_SHEETS) for name in lowered)
    # Names of files may have `&amp;`, but nobody writes these names in references, unless they are
    # not to be found.
    macros = macros or any(mark in said for mark in _MACRO_MARKS)
    main = next((kind for mark, kind in _MAIN.items() if mark in said), None)
    folders = [kinds for folder, kinds in _BY_FOLDER.items() if _has(names, folder)]
    if main is None or (macros and "macroenabled" not in main):
        main = folders[0][macros] if folders else main
    if main is None:
        return []
    return [main, MACROS] if macros else [main]


def _has(names: Sequence[str], folder: str) -> bool:
    return any(name.startswith(folder) for name in names)
