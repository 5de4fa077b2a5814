"""What a ZIP container is: a document, an application, an archive. Pure, and nothing is unpacked.

The central directory at the archive's end says what is in it. Where its end, the directory and
the bytes around them do not agree, readers of the archive could see different contents, and the
container is ambiguous. Source: PKWARE APPNOTE 6.3.10.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

TAIL_BYTES: Final = 65_557
"""The end-of-directory record with the longest comment: what has to be read first."""

LARGEST_DIRECTORY: Final = 4 * 1024 * 1024
MOST_ENTRIES: Final = 20_000

ZIP: Final = "application/zip"

_LOCAL = b"PK\x03\x04"
_CENTRAL = b"PK\x01\x02"
_END = b"PK\x05\x06"
_END64_LOCATOR = b"PK\x06\x07"
_END_SIZE = 22
_CENTRAL_SIZE = 46
_LOCAL_SIZE = 30
_LOCATOR_SIZE = 20
_IN_ZIP64 = 0xFFFFFFFF

_OOXML = "application/vnd.openxmlformats-officedocument."
_OFFICE: Final = {
    "word/": (
        _OOXML + "wordprocessingml.document",
        "application/vnd.ms-word.document.macroenabled.12",
    ),
    "xl/": (_OOXML + "spreadsheetml.sheet", "application/vnd.ms-excel.sheet.macroenabled.12"),
    "ppt/": (
        _OOXML + "presentationml.presentation",
        "application/vnd.ms-powerpoint.presentation.macroenabled.12",
    ),
}
_SELF_DESCRIBED: Final = ("application/vnd.oasis.opendocument.", "application/epub+zip")


@dataclass(frozen=True, slots=True)
class Container:
    """What a ZIP is; `ambiguous` where its readers could disagree on what is in it."""

    content_type: str
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the central directory lies: its first byte, its size, and how many entries it has.

    `shift` is by how many bytes it lies further back than the archive itself says.
    """

    start: int
    size: int
    entries: int
    shift: int


def find_directory(tail: bytes, size: int) -> Directory | None:
    """The directory that the end of an archive of `size` bytes points to.

    `tail` is its last TAIL_BYTES bytes, or all of it. None where there is no ZIP, where its
    directory is beyond what is read, or in ZIP64 form, whose numbers lie elsewhere.
    """
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        return None
    _, _, _, entries, length, start, comment = struct.unpack_from("<HHHHIIH", tail, at + 4)
    end = size - len(tail) + at
    if at + _END_SIZE + comment > len(tail) or _IN_ZIP64 in (length, start):
        return None
    if start + length > end or length > LARGEST_DIRECTORY:
        return None
    # What was put before an archive moves it, and readers look right before the end's record.
    zip64 = tail[max(0, at - _LOCATOR_SIZE) : at].startswith(_END64_LOCATOR)
    shift = 0 if zip64 else end - length - start
    return Directory(start + shift, length, entries, shift)


def is_confused(tail: bytes, directory: Directory) -> bool:
    """Whether something stands before the archive, behind it, or looks like another end of one.

    Then a reader from the front and one from the back could see two archives.
    """
    at = tail.rfind(_END)
    (comment,) = struct.unpack_from("<H", tail, at + _END_SIZE - 2)
    behind = at + _END_SIZE + comment != len(tail)
    return behind or directory.shift != 0 or _END in tail[:at]


def classify(directory: Directory, data: bytes, head: bytes) -> Container:
    """What the archive is, by the bytes of its directory and the first bytes of the file."""
    names = list(_names(data))
    broken = len(names) != directory.entries or not head.startswith((_LOCAL, _END))
    if len(set(names)) != len(names):
        broken = True
    return Container(_content_type(names, head), ambiguous=broken)


def classify_head(head: bytes) -> str:
    """The best guess at what an archive is of which only the first bytes were kept."""
    return _content_type(list(_local_names(head)), head)


def _content_type(names: list[str], head: bytes) -> str:
    entries = set(names)
    if "[Content_Types].xml" in entries:
        return _office_type(names)
    if (described := _described_type(head)) is not None:
        return described
    if "AndroidManifest.xml" in entries:
        return "application/vnd.android.package-archive"
    if "META-INF/MANIFEST.MF" in entries:
        return "application/java-archive"
    return ZIP


def _office_type(names: list[str]) -> str:
    macros = any(name.endswith("vbaProject.bin") for name in names)
    for folder, (plain, macro_enabled) in _OFFICE.items():
        if any(name.startswith(folder) for name in names):
            return macro_enabled if macros else plain
    return ZIP


def _described_type(head: bytes) -> str | None:
    """The content of a first entry named `mimetype`, stored as it is (OpenDocument, EPUB)."""
    if not head.startswith(_LOCAL) or len(head) < _LOCAL_SIZE:
        return None
    method, size, name_size, extra_size = _local_fields(head, 0)
    name_end = _LOCAL_SIZE + name_size
    if method != 0 or head[_LOCAL_SIZE:name_end] != b"mimetype":
        return None
    start = name_end + extra_size
    text = head[start : start + size].decode("ascii", errors="replace").strip()
    return text if text.startswith(_SELF_DESCRIBED) and len(text) < 100 else None


def _names(directory: bytes) -> Iterator[str]:
    """The names in a central directory, as far as it makes sense."""
    at = 0
    for _ in range(MOST_ENTRIES):
        if directory[at : at + 4] != _CENTRAL or at + _CENTRAL_SIZE > len(directory):
            return
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        start = at + _CENTRAL_SIZE
        yield directory[start : start + name].decode(errors="replace")
        at = start + name + extra + comment


def _local_names(head: bytes) -> Iterator[str]:
    """The names of the entries that begin in the first bytes of an archive."""
    at = 0
    while head[at : at + 4] == _LOCAL and at + _LOCAL_SIZE <= len(head):
        _, size, name, extra = _local_fields(head, at)
        start = at + _LOCAL_SIZE
        yield head[start : start + name].decode(errors="replace")
        after = start + name + extra + size
        # Entries with a data descriptor do not tell their size beforehand.
        at = after if size else head.find(_LOCAL, start + name)
        if at < 0:
            return


def _local_fields(head: bytes, at: int) -> tuple[int, int, int, int]:
    """Method, compressed size, name's length and extra field's length of a local header."""
    (method,) = struct.unpack_from("<H", head, at + 8)
    size, _, name, extra = struct.unpack_from("<IIHH", head, at + 18)
    return method, size, name, extra
