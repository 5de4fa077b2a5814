"""Which of Apple's documents an archive is: Pages, Numbers or Keynote, by their parts.

Sources: what is published about the format (obriensp/iWorkFileFormat), and of that of 2009 (Apple's
iWork Programming Guide): the three differ in the type of their first object, or its namespace.
"""

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

_PAGES: Final = "application/vnd.apple.pages"
_NUMBERS: Final = "application/vnd.apple.numbers"
_KEYNOTE: Final = "application/vnd.apple.keynote"

_DOCUMENT: Final = "Index/Document.iwa"
_SLIDES: Final = ("Index/Slide", "Index/MasterSlide", "Index/TemplateSlide")
_TABLES: Final = "Index/Tables/"
_PARTS: Final = re.compile(rb"Index/[\w/-]+\.iwa")
_FIRST_BYTES: Final = 64
_PAGES_OBJECT: Final = b"\x08\x90\x4e"
"""Type 10000 (TP.DocumentArchive) in the head of an object; Numbers and Keynote have 1."""

_OTHER_OBJECT: Final = re.compile(rb"\x12.\x08\x01", re.DOTALL)


class Work(NamedTuple):
    """A document; `certain` is False if it may be one of the others, too."""

    content_type: str
    certain: bool


def iwork_type(names: AbstractSet[str], read: Callable[[str], bytes]) -> Work | None:
    """Which document an archive with these names is; None if it is none."""
    if _DOCUMENT in names:
        return _by_parts(names, read(_DOCUMENT))
    if "index.apxl" in names:
        return Work(_KEYNOTE, certain=True)
    if "Index.zip" in names and (parts := set(_PARTS.findall(read("Index.zip")))):
        return _by_parts({part.decode() for part in parts}, b"")
    if "index.xml" in names:
        begin = read("index.xml")[:2000]
        if b"<sl:document" in begin:
            return Work(_PAGES, certain=True)
        if b"<ls:document" in begin:
            return Work(_NUMBERS, certain=True)
    return None


def _by_parts(names: AbstractSet[str], document: bytes) -> Work:
    if any(name.startswith(_SLIDES) for name in names):
        return Work(_KEYNOTE, certain=True)
    begin = document[:_FIRST_BYTES]
    if _PAGES_OBJECT in begin:
        return Work(_PAGES, certain=True)
    if _OTHER_OBJECT.search(begin):
        return Work(_NUMBERS, certain=True)
    tables = any(name.startswith(_TABLES) for name in names)
    return Work(_NUMBERS if tables else _PAGES, certain=False)
