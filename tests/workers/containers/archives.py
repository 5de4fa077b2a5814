"""Archives by hand, each of whose records can be made to lie."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

OPEN = 0xFFFFFFFF


@dataclass
class Item:
    """An entry: what its own header says and, where that differs, what the directory says."""

    name: bytes
    data: bytes = b"content"
    central_name: bytes | None = None
    flags: int = 0
    method: int = 0
    extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    descriptor: bytes = b""
    own_sizes: tuple[int, int, int] | None = None
    sizes: tuple[int, int] | None = None
    offset: int | None = None
    disk: int = 0
    central: bool = True
    local: bool = True
    at: int = field(default=0, init=False)

    def header(self) -> bytes:
        crc, packed, unpacked = self.own_sizes or (
            zlib.crc32(self.data),
            len(self.data),
            len(self.data),
        )
        fixed = struct.pack(
            "<HHHHHIIIHH", 20, self.flags, self.method, 0, 33, crc, packed, unpacked,
            len(self.name), len(self.extra),
        )  # fmt: skip
        return b"PK\x03\x04" + fixed + self.name + self.extra + self.data + self.descriptor

    def described(self) -> bytes:
        name = self.name if self.central_name is None else self.central_name
        packed, unpacked = self.sizes or (len(self.data), len(self.data))
        fixed = struct.pack(
            "<HHHHHHIIIHHHHHII", 20, 20, self.flags, self.method, 0, 33, zlib.crc32(self.data),
            packed, unpacked, len(name), len(self.central_extra), len(self.comment), self.disk, 0,
            0, self.at if self.offset is None else self.offset,
        )  # fmt: skip
        return b"PK\x01\x02" + fixed + name + self.central_extra + self.comment


def extra(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def unicode_path(name: bytes, other: bytes) -> bytes:
    return extra(0x7075, b"\x01" + struct.pack("<I", zlib.crc32(name)) + other)


def build(
    items: Sequence[Item],
    *,
    comment: bytes = b"",
    count: int | None = None,
    zip64: bool = False,
    locator: bool = True,
    locator_shift: int = 0,
    disk: int = 0,
    open_fields: tuple[bool, bool, bool, bool] = (False, True, True, True),
    gap: bytes = b"",
) -> bytes:
    """An archive of the items; `gap` stands before its directory.

    `open_fields`: which fields the shorter record leaves to the one of 64 bits: disks, counts, size
    and offset of the directory.
    """
    body = b""
    for item in items:
        item.at = len(body)
        body += item.header() if item.local else b""
    body += gap
    start = len(body)
    directory = b"".join(item.described() for item in items if item.central)
    entries = sum(item.central for item in items) if count is None else count
    end = b""
    short = (entries, len(directory), start)
    if zip64:
        end += b"PK\x06\x06" + struct.pack(
            "<QHHIIQQQQ", 44, 45, 45, 0, 0, entries, entries, len(directory), start
        )
        at = start + len(directory) + locator_shift
        end += (b"PK\x06\x07" + struct.pack("<IQI", 0, at, 1)) if locator else b""
        if locator:
            values = zip(open_fields, (0xFFFF, 0xFFFF, OPEN, OPEN), (disk, *short), strict=True)
            disk, *rest = (most if left else value for left, most, value in values)
            short = (rest[0], rest[1], rest[2])
    end += b"PK\x05\x06" + struct.pack(
        "<HHHHIIH", disk, disk, short[0], short[0], short[1], short[2], len(comment)
    )
    return body + directory + end + comment
