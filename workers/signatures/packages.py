"""Files that systems install or open as a volume, by the structure that these require. Pure.

Sources: MS-SHLLINK section 2.1 (shortcuts), MS-CFB and the class of Windows Installer, CRX3 and its
forerunner, xar's header (libarchive), deb(5), RPM's lead, Apple's UDIF trailer, TN1150 (HFS Plus)
and Apple's partition map, PHP's manual (the PHAR format).
"""

import re
from typing import Final

SHORTCUT: Final = bytes.fromhex("4c0000000114020000000000c000000000000046")

PHAR: Final = "application/x-phar"
DISK_IMAGE: Final = "application/x-apple-diskimage"

_MARKS: Final = (
    (re.escape(SHORTCUT), "application/x-ms-shortcut"),
    (rb"Cr24[\x02\x03]\0\0\0", "application/x-chrome-extension"),
    (rb"xar!\0[\x1c-\x80]\0[\0\x01]", "application/x-xar"),
    (rb"!<arch>\ndebian-binary[ /]", "application/vnd.debian.binary-package"),
    (rb"\xed\xab\xee\xdb[\x02-\x04].\0[\0\x01]", "application/x-rpm"),
    # A volume of HFS Plus behind its boot blocks, and a map of partitions behind block 0.
    (rb".{1024}(?:H\+\0\x04|HX\0\x05).{4}(?:10\.0|HFSJ|H\+Lx|fsck|8\.10)", DISK_IMAGE),
    (rb"ER\x02\0.{508}PM\0\0\0\0", DISK_IMAGE),
    (rb".{32}NXSB\0\x10\0\0", DISK_IMAGE),  # a volume of APFS
    (rb"encrcdsa\0\0\0[\x01\x02]", DISK_IMAGE),  # any of these, encrypted
)
_ANY_MARK: Final = re.compile(b"|".join(b"(%b)" % pattern for pattern, _ in _MARKS), re.DOTALL)
"""A group for each, without groups in it."""

_COMPOUND: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_INSTALLER_CLASS: Final = bytes.fromhex("84100c0000000000c000000000000046")

_TRAILER: Final = b"koly\0\0\0\x04\0\0\x02\0"
"""Its version and its size."""
_TRAILER_BYTES: Final = 512

_STUB: Final = b"__HALT_COMPILER();"
# The end of the stub, and the manifest that PHP reads next: its length, how many files it has, the
# version (1.0 or any later one, for PHP), flags, and the length of the alias.
_STUB_END: Final = re.compile(
    rb"__HALT_COMPILER\(\);(?:[ \n]\?>)?(?:\r\n|\n)?(?P<length>.{4})(?P<files>.{4})[\x10-\xff].",
    re.DOTALL,
)
_LONGEST_MANIFEST: Final = 100 * 1024**2
"""That PHP takes; whatever text stands behind a stub's end is more."""
_LEAST_FILE: Final = 24
_TAR: Final = b"ustar"
_TAR_MARK: Final = 257
_TAR_STUB: Final = b".phar/stub.php\0"
"""The name of an entry that PHP gives to a stub."""


def package_types(head: bytes) -> list[str]:
    """The types by which a file would be installed or opened as a volume."""
    mark = _ANY_MARK.match(head)
    found = [] if mark is None or mark.lastindex is None else [_MARKS[mark.lastindex - 1][1]]
    if head.startswith(_COMPOUND) and _INSTALLER_CLASS in head:
        found.append("application/x-msi")
    if is_phar(head) or is_phar_tape(head, head):
        found.append(PHAR)
    return found


def is_phar(data: bytes) -> bool:
    """Whether PHP would find an archive of programs in it: a stub's end and a manifest."""
    # Most have no stub, and to look for one costs less than the pattern.
    return _STUB in data and any(map(_is_manifest, _STUB_END.finditer(data)))


def is_phar_tape(head: bytes, data: bytes) -> bool:
    """Whether a file that begins so is a tar, and `data`, a part of it, has the stub of a PHAR."""
    if not head.startswith(_TAR, _TAR_MARK):
        return False
    at = data.find(_TAR_STUB)
    return at >= 0 and data.startswith(_TAR, at + _TAR_MARK)


def _is_manifest(found: re.Match[bytes]) -> bool:
    length = int.from_bytes(found["length"], "little")
    files = int.from_bytes(found["files"], "little")
    return 14 <= length <= _LONGEST_MANIFEST and files * _LEAST_FILE <= length


def is_disk_image(tail: bytes) -> bool:
    """Whether a file's last bytes are the trailer of a compressed volume of macOS."""
    return len(tail) >= _TRAILER_BYTES and tail[-_TRAILER_BYTES:].startswith(_TRAILER)
