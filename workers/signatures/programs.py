"""Programs by the structure that makes a system load them. Pure.

Sources: Microsoft's PE format and the MS-DOS, NE and LE/LX headers before it; the System V ABI
(ELF); Apple's mach-o/loader.h and fat.h; the Java Virtual Machine Specification, chapter 4;
Android's Dalvik executable format; WebAssembly 1.0, section 5.5.16. A field is checked as the
loader checks it; if the bytes end before the field, it counts as matching: they may be a part of a
file.
"""

import re
import struct
from typing import Final

from gateway.uploads.excerpt import NEW_HEADER_BYTES, new_header_at

WINDOWS: Final = "application/x-dosexec"
ELF: Final = "application/x-executable"
MACH: Final = "application/x-mach-binary"
CLASS: Final = "application/x-java-applet"

_MZ: Final = b"MZ"
_OLD_HEADER_BYTES: Final = 28
_MOST_PAGES: Final = 2048
"""Of 512 bytes: what is loaded has to fit into the megabyte that DOS can address."""
_PIF: Final = b"MICROSOFT PIFEX\0"
_PIF_AT: Final = 0x171

_ELF_TYPES: Final = {1, 2, 3}
"""Relocatable, executable, shared; a core dump (4) is loaded by nothing."""

_MACH_ORDERS: Final = {
    b"\xfe\xed\xfa\xce": ">",
    b"\xfe\xed\xfa\xcf": ">",
    b"\xce\xfa\xed\xfe": "<",
    b"\xcf\xfa\xed\xfe": "<",
}
_MACH_PROCESSORS: Final = {1, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 24}
_MACH_FLAVOURS: Final = 0x03000000
"""Bits of a processor's number that say 64 bits, or 64 bits with pointers of 32."""
_MACH_TYPES: Final = range(1, 16)
_MOST_COMMANDS: Final = 1 << 16

_UNIVERSAL: Final = {b"\xca\xfe\xba\xbe": ">5I", b"\xca\xfe\xba\xbf": ">2I2Q2I"}
_MOST_SLICES: Final = 44
"""Where a universal program has their number, a Java class has its version, from 45 on."""

_CLASS_MAGIC: Final = b"\xca\xfe\xba\xbe"
_CLASS_VERSIONS: Final = range(45, 100)
_CONSTANT_BYTES: Final = {
    **dict.fromkeys((7, 8, 16, 19, 20), 2),
    15: 3,
    **dict.fromkeys((3, 4, 9, 10, 11, 12, 17, 18), 4),
    **dict.fromkeys((5, 6), 8),
}
"""By tag (JVMS table 4.4-A) but for text (1), which says its length."""
_TEXT_TAG: Final = 1
_CONSTANTS_SEEN: Final = 8

_DEX: Final = re.compile(rb"dex\n0\d\d\0")
_DEX_HEADER: Final = {
    b"\x70\0\0\0\x78\x56\x34\x12",
    b"\0\0\0\x70\x12\x34\x56\x78",
    b"\x78\0\0\0\x78\x56\x34\x12",
}
"""Its size, which version 041 made larger, and the tag for the order of bytes."""
_WASM: Final = (b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0")
"""A module, and a component."""


def program_type(head: bytes, size: int, far: bytes = b"") -> str | None:
    """The type of program that a file of `size` bytes is, by its head.

    `far` is what stands at `far_header`, if that is anywhere.
    """
    if _is_windows(head, size, far) or head[_PIF_AT:].startswith(_PIF):
        return WINDOWS
    if _is_elf(head):
        return ELF
    if _is_mach(head) or _is_universal(head):
        return MACH
    if _is_class(head):
        return CLASS
    if _DEX.match(head) and _agrees(head[36:44], _DEX_HEADER):
        return "application/x-dex"
    return "application/wasm" if head.startswith(_WASM) else None


def far_header(head: bytes, size: int) -> tuple[int, int] | None:
    """Offset and length of the header of a Windows program that lies behind the head, if it may."""
    at = new_header_at(head)
    if at is None or at + NEW_HEADER_BYTES <= len(head) or at >= size:
        return None
    return at, min(NEW_HEADER_BYTES, size - at)


def _is_windows(head: bytes, size: int, far: bytes) -> bool:
    """Whether Windows or DOS loads it: Windows reads only the new header, DOS only the old one."""
    at = new_header_at(head)
    if at is None:
        return head.startswith(_MZ) and len(head) >= _OLD_HEADER_BYTES and _is_dos(head, size)
    new = head[at : at + NEW_HEADER_BYTES] if far_header(head, size) is None else far
    return _is_new_header(new) or _is_dos(head, size)


def _is_new_header(new: bytes) -> bool:
    if new.startswith(b"PE\0\0"):
        return True
    if new.startswith(b"NE") and len(new) > 0x36:
        return new[0x36] <= 5  # the system that it is for
    # Order of bytes and of words, and the format's level.
    return new.startswith((b"LE", b"LX")) and len(new) >= 8 and max(new[2:4]) <= 1 and not new[7]


def _is_dos(head: bytes, size: int) -> bool:
    last, pages, relocations, paragraphs, least, most, _, _, _, ip, cs, table = struct.unpack_from(
        "<12H", head, 2
    )
    header, image = paragraphs * 16, pages * 512
    entry = (cs * 16 + ip) & 0xFFFFF
    return (
        last <= 512
        and 0 < pages <= _MOST_PAGES
        and header < min(size, image)
        and least <= most
        and entry < image - header
        and (not relocations or _OLD_HEADER_BYTES <= table <= header - 4 * relocations)
    )


def _is_elf(head: bytes) -> bool:
    if not head.startswith(b"\x7fELF"):
        return False
    # Linux ignores class and byte order in the bytes before the type.
    return len(head) < 20 or any(
        int.from_bytes(head[16:18], order) in _ELF_TYPES and any(head[18:20])
        for order in ("little", "big")
    )


def _is_processor(number: int) -> bool:
    return number & ~_MACH_FLAVOURS in _MACH_PROCESSORS


def _is_mach(head: bytes) -> bool:
    order = _MACH_ORDERS.get(head[:4])
    if order is None:
        return False
    if len(head) < 20:
        return True
    processor, _, kind, commands = struct.unpack_from(f"{order}4I", head, 4)
    return _is_processor(processor) and kind in _MACH_TYPES and 0 < commands <= _MOST_COMMANDS


def _is_universal(head: bytes) -> bool:
    """Whether it is a table of programs: macOS takes any of them that has a place and a size."""
    form = _UNIVERSAL.get(head[:4])
    slices = int.from_bytes(head[4:8])
    if form is None or slices > _MOST_SLICES:
        return False
    table = head[8 : 8 + slices * struct.calcsize(form)]
    whole = len(table) - len(table) % struct.calcsize(form)
    return any(
        _is_processor(processor) and offset >= 8 and length > 0 and align < 32
        for processor, _, offset, length, align, *_ in struct.iter_unpack(form, table[:whole])
    )


def _is_class(head: bytes) -> bool:
    """Whether it has a version, and a pool of constants as far as the first few go."""
    if not head.startswith(_CLASS_MAGIC) or len(head) < 11:
        return False
    major, count = struct.unpack_from(">2H", head, 6)
    at = 10
    for _ in range(min(count - 1, _CONSTANTS_SEEN)):
        if at >= len(head):
            break
        if head[at] == _TEXT_TAG:
            at += 3 + int.from_bytes(head[at + 1 : at + 3])
        elif head[at] in _CONSTANT_BYTES:
            at += 1 + _CONSTANT_BYTES[head[at]]
        else:
            return False
    return count > 1 and major in _CLASS_VERSIONS


def _agrees(found: bytes, wanted: set[bytes]) -> bool:
    return any(value.startswith(found) for value in wanted)
