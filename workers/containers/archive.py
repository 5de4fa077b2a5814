"""Where an archive's directory lies, by the records at its end: both forms, 32 and 64 bits.

Sections in comments are those of PKWARE APPNOTE 6.3.10.
"""

import struct
from dataclasses import dataclass
from typing import Final

END = b"PK\x05\x06"
_END_SIZE: Final = 22
_END64 = b"PK\x06\x06"
_END64_SIZE: Final = 56
_END64_LEADING: Final = 12
_LOCATOR = b"PK\x06\x07"
_LOCATOR_SIZE: Final = 20

TAIL_BYTES: Final = _END_SIZE + 65_535 + _LOCATOR_SIZE + _END64_SIZE
"""The records at the end, with the longest comment: what has to be read first."""

LARGEST_DIRECTORY: Final = 4 * 1024 * 1024
MOST_ENTRIES: Final = 20_000
"""A directory beyond either is not read."""

IN_ZIP64: Final = 0xFFFFFFFF
_SHORT_IN_ZIP64: Final = 0xFFFF


_NOTHING: Final = b"\0\t\n\r "


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the central directory lies: its first byte, its size, and how many entries it has.

    `shift` is how many bytes further back it lies than the archive itself says; `sound` is False if
    the records at the end contradict each other or themselves.
    """

    start: int
    size: int
    entries: int
    shift: int
    sound: bool = True

    @property
    def is_readable(self) -> bool:
        """Whether it is within what is read of a directory."""
        return self.size <= LARGEST_DIRECTORY and self.entries <= MOST_ENTRIES


def find_directory(tail: bytes, size: int) -> Directory | None:
    """The directory that the end of an archive of `size` bytes points to.

    `tail` is its last TAIL_BYTES bytes, or all of it. None if there is no ZIP, or if what it says
    about its directory cannot be true.
    """
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < _END_SIZE:
        return None
    disk, first_disk, here, entries, length, start, comment = struct.unpack_from(
        "<HHHHIIH", tail, at + 4
    )
    if at + _END_SIZE + comment > len(tail):
        return None
    end = size - len(tail) + at
    said = (disk, first_disk, here, entries, length, start)
    full = (0, 0, entries, entries, length, start)
    left_open = (-1,) * len(full)
    if at >= _LOCATOR_SIZE and tail.startswith(_LOCATOR, at - _LOCATOR_SIZE):
        found = _in_zip64(tail, at - _LOCATOR_SIZE, size)
        if found is None:
            return None
        end, (entries, length, start) = found
        # Each value of the shorter record must be left open, or equal (4.4.1.4).
        full = (0, 0, entries, entries, length, start)
        left_open = (*4 * (_SHORT_IN_ZIP64,), *2 * (IN_ZIP64,))
    sound = all(map(_is_said, said, full, left_open))
    if start + length > end:
        return None
    # Bytes put before an archive move it, and readers look directly before the end record.
    shift = end - length - start
    return Directory(start + shift, length, entries, shift, sound)


def _is_said(said: int, full: int, left_open: int) -> bool:
    """Whether a field of the shorter record says what is true, or leaves it to the longer one."""
    return said in (full, left_open)


def _in_zip64(tail: bytes, locator: int, size: int) -> tuple[int, tuple[int, int, int]] | None:
    """Where the 64-bit record begins, and its entries, length and start (4.3.14, 4.3.15).

    None if the locator does not point to a record that ends where the locator begins.
    """
    disk, at, disks = struct.unpack_from("<IQI", tail, locator + 4)
    index = at - (size - len(tail))
    if index < 0 or index + _END64_SIZE > locator or disk != 0 or disks > 1:
        return None
    if not tail.startswith(_END64, index):
        return None
    (length,) = struct.unpack_from("<Q", tail, index + 4)
    here, entries, directory_size, start = struct.unpack_from("<QQQQ", tail, index + 24)
    if index + _END64_LEADING + length != locator or here != entries:
        return None
    return at, (entries, directory_size, start)


def ends_there(tail: bytes) -> bool:
    """Whether the archive that the tail has the end of is the file's own end."""
    return not _behind(tail)


def is_confused(tail: bytes, directory: Directory) -> bool:
    """Whether there are bytes before or after the archive, or its end contradicts itself.

    Then a reader from the front and one from the back could see two archives. Zeros and blanks
    after it are harmless: bsdtar fills the last block of a ZIP with zeros, and scripts that serve
    files append a line end.
    """
    return bool(_behind(tail).strip(_NOTHING)) or directory.shift != 0 or not directory.sound


def _behind(tail: bytes) -> bytes:
    """The bytes after the archive that ends in the tail."""
    at = tail.rfind(END)
    (comment,) = struct.unpack_from("<H", tail, at + _END_SIZE - 2)
    return tail[at + _END_SIZE + comment :]
