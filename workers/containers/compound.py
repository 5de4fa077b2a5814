"""What an OLE compound file is: old Office documents, messages, installers. Source: [MS-CFB]."""

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from workers.containers.consistency import Container
from workers.containers.office import MACROS

UNKNOWN_COMPOUND: Final = "application/x-ole-storage"

DIRECTORY_ROOM: Final = 16 * 1024
"""Bytes of a directory that are examined: 128 streams and storages."""

_ENTRY_SIZE: Final = 128
_KINDS: Final = (1, 2, 5)  # storage, stream, root

_CLASSES: Final = {
    "000c1084-0000-0000-c000-000000000046": "application/x-msi",
    "000c1086-0000-0000-c000-000000000046": "application/x-msi",  # a patch
    "00020906-0000-0000-c000-000000000046": "application/msword",
    "00020820-0000-0000-c000-000000000046": "application/vnd.ms-excel",
    "00020810-0000-0000-c000-000000000046": "application/vnd.ms-excel",
    "64818d10-4f9b-11cf-86ea-00aa00b929e8": "application/vnd.ms-powerpoint",
}
_STREAMS: Final = {
    "WordDocument": "application/msword",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "__properties_version1.0": "application/vnd.ms-outlook",
    "VisioDocument": "application/vnd.visio",
}
_MACRO_STORAGES: Final = frozenset({"_VBA_PROJECT_CUR", "VBA", "_VBA_PROJECT", "Macros"})
_TABLE_MARK: Final = "\u4840"
"""The beginning of the names of an installer's tables, in its own alphabet."""


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    class_id: str


def classify_compound(directory: bytes) -> Container:
    """What the file is, by the first bytes of its directory.

    Storages and streams described beyond them, or in another sector, are not seen.
    """
    items = list(_items(directory))
    names = {item.name for item in items}
    found = [_CLASSES[item.class_id] for item in items if item.class_id in _CLASSES]
    found += [kind for name, kind in _STREAMS.items() if name in names]
    if any(name.startswith(_TABLE_MARK) for name in names):
        found.append("application/x-msi")
    if names & _MACRO_STORAGES:
        found.append(MACROS)
    main = next((kind for kind in found if kind != MACROS), UNKNOWN_COMPOUND)
    return Container(main, others=frozenset(found) - {main}, certain=main != UNKNOWN_COMPOUND)


def _items(directory: bytes) -> Iterator[_Item]:
    for at in range(0, min(len(directory), DIRECTORY_ROOM) - _ENTRY_SIZE + 1, _ENTRY_SIZE):
        size, kind = struct.unpack_from("<HB", directory, at + 64)
        if kind not in _KINDS or not 2 <= size <= 64:
            continue  # unused, or another sector's content
        name = directory[at : at + size - 2].decode("utf-16-le", errors="replace")
        yield _Item(name, str(uuid.UUID(bytes_le=directory[at + 80 : at + 96])))
