"""An archive's entries, as its directory and as their own headers describe them."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from workers.containers.archive import IN_ZIP64, MOST_ENTRIES

LOCAL: Final = b"PK\x03\x04"
CENTRAL: Final = b"PK\x01\x02"
LOCAL_SIZE: Final = 30
CENTRAL_SIZE: Final = 46

_MOST_TRIES: Final = 8

_COMMON: Final = struct.Struct("<HH4xIIIHH")
_ENCRYPTED: Final = 1 << 0
_DESCRIBED_LATER: Final = 1 << 3
_STRONGLY: Final = 1 << 6
_MASKED: Final = 1 << 13
_ZIP64: Final = 0x0001
_UNICODE_PATH: Final = 0x7075


class ZipEntry(NamedTuple):
    """One entry: `packed` and `unpacked` in bytes, `offset` of its header in the archive.

    `renamed` is the name that some readers use instead; `sound` is False if one of its fields could
    be read in two ways. `length` is that of the whole record.
    """

    name: bytes
    renamed: bytes | None
    encrypted: bool
    described_later: bool
    method: int
    crc: int
    packed: int
    unpacked: int
    offset: int
    extra: int
    length: int
    sound: bool


def central_entries(directory: bytes) -> Iterator[ZipEntry]:
    """The entries of a central directory, as far as it makes sense."""
    at = 0
    for _ in range(MOST_ENTRIES):
        if directory[at : at + 4] != CENTRAL or at + CENTRAL_SIZE > len(directory):
            return
        entry = _central_entry(directory, at)
        if at + entry.length > len(directory):
            return
        yield entry
        at += entry.length


def last_entries(end: bytes) -> list[ZipEntry]:
    """The entries in the available last bytes of a central directory."""
    at = -1
    for _ in range(_MOST_TRIES):
        at = end.find(CENTRAL, at + 1)
        if at < 0:
            break
        # What looks like an entry may be inside another one's fields.
        entries = list(central_entries(end[at:]))
        if sum(entry.length for entry in entries) == len(end) - at:
            return entries
    return []


def _central_entry(data: bytes, at: int) -> ZipEntry:
    comment, disk, _, _, offset = struct.unpack_from("<HHHII", data, at + 32)
    entry = _entry(data, at + 8, at + CENTRAL_SIZE, offset)
    return entry._replace(
        length=CENTRAL_SIZE + entry.length + comment, sound=entry.sound and disk == 0
    )


def local_entry(data: bytes, at: int, offset: int) -> ZipEntry | None:
    """The header at `data[at]`, which is byte `offset` of the archive; None if there is none."""
    if data[at : at + 4] != LOCAL or at + LOCAL_SIZE > len(data):
        return None
    entry = _entry(data, at + 6, at + LOCAL_SIZE, 0)
    length = LOCAL_SIZE + entry.length
    return entry._replace(offset=offset, length=length) if at + length <= len(data) else None


def _entry(data: bytes, at: int, name_at: int, offset: int) -> ZipEntry:
    """The fields that both kinds of header share, in the same order from `data[at]` on.

    Its `length` is that of the name and the extra fields.
    """
    flags, method, crc, packed, unpacked, name_size, extra = _COMMON.unpack_from(data, at)
    extra_at = name_at + name_size
    name = data[name_at:extra_at]
    large, renamed, sound = _read_extra(
        data[extra_at : extra_at + extra], name, (unpacked, packed, offset)
    )
    return ZipEntry(
        name=name,
        renamed=renamed,
        encrypted=bool(flags & _ENCRYPTED),
        described_later=bool(flags & _DESCRIBED_LATER),
        method=method,
        crc=crc,
        packed=large[1],
        unpacked=large[0],
        offset=large[2],
        extra=extra,
        length=name_size + extra,
        sound=sound and _is_plain(name) and _are_possible(flags),
    )


def _are_possible(flags: int) -> bool:
    """Whether the flags are consistent (4.4.4): else some readers refuse or skip the content.

    Strong encryption implies encryption, and only an encrypted directory masks headers.
    """
    return not flags & _MASKED and (not flags & _STRONGLY or bool(flags & _ENCRYPTED))


def _is_plain(name: bytes) -> bool:
    """Whether no reader would cut the name short, or take it for none."""
    return bool(name) and b"\0" not in name


def _read_extra(
    extra: bytes, name: bytes, short: tuple[int, int, int]
) -> tuple[tuple[int, int, int], bytes | None, bool]:
    """Sizes and offset in full, another name, and whether all of it can be read in one way only."""
    if not extra:
        return short, None, IN_ZIP64 not in short
    fields = _extra_fields(extra)
    if fields is None:
        return short, None, False
    wide = [body for kind, body in fields if kind == _ZIP64]
    names = [body for kind, body in fields if kind == _UNICODE_PATH]
    large, sound = _read_zip64(wide[0] if wide else None, short)
    renamed = _other_name(names[0], name) if names else None
    # Names of other alphabets are what the field is for (4.6.9).
    misnamed = renamed is not None and renamed != name and name.isascii()
    return large, renamed, sound and not misnamed and len(wide) <= 1 and len(names) <= 1


def _extra_fields(extra: bytes) -> list[tuple[int, bytes]] | None:
    """The fields of an extra (4.5.1), or None if they do not fill it; zeros may pad it."""
    fields: list[tuple[int, bytes]] = []
    at = 0
    while at < len(extra):
        if len(extra) - at < 4:
            return None if any(extra[at:]) else fields
        kind, size = struct.unpack_from("<HH", extra, at)
        if at + 4 + size > len(extra):
            return None
        fields.append((kind, extra[at + 4 : at + 4 + size]))
        at += 4 + size
    return fields


def _read_zip64(
    body: bytes | None, short: tuple[int, int, int]
) -> tuple[tuple[int, int, int], bool]:
    """The values of the 64-bit field, in order, for those that are left open (4.5.3)."""
    missing = short.count(IN_ZIP64)
    if body is None:
        return short, missing == 0
    numbers = struct.unpack_from(f"<{len(body) // 8}Q", body)
    if len(numbers) < missing:
        return short, False
    left = iter(numbers)
    unpacked, packed, offset = (next(left) if v == IN_ZIP64 else v for v in short)
    # Values that were not left open must be equal: some readers use them anyway.
    surplus = numbers[missing:]
    agrees = not surplus or numbers[: len(short)] == (unpacked, packed, offset)[: len(numbers)]
    return (unpacked, packed, offset), agrees


def _other_name(body: bytes, name: bytes) -> bytes | None:
    """The name in a Unicode path field, which counts if it was made for this name (4.6.9)."""
    if len(body) < 5 or body[0] != 1:
        return None
    (crc,) = struct.unpack_from("<I", body, 1)
    return body[5:] if crc == zlib.crc32(name) else None
