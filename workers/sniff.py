"""What a file is by its content: libmagic for its head, its directory for a ZIP container."""

import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

with suppress(ImportError):  # its libmagic is used where it is installed, else the system's
    import pylibmagic  # noqa: F401 - must be imported before magic

import magic

from gateway.errors import ConfigurationError
from gateway.uploads.policy import UNKNOWN_TYPE, Sniffed, plain_type
from workers import containers

HEAD_BYTES: Final = 16_384

WHOLE_BYTES: Final = 128 * 1024
"""A file of up to this size is read by one request: another costs more than the bytes."""

ReadRange = Callable[[int, int], Awaitable[bytes]]
"""Reads so many bytes from an offset of the file."""

_SAMPLES: Final = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01",
    "application/pdf": b"%PDF-1.4\n",
}

# What libmagic does not know, or not in every version.
_SHORTCUT = bytes.fromhex("4c0000000114020000000000c000000000000046")
_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")
_INSTALLER_CLSID = bytes.fromhex("84100c0000000000c000000000000046")
_SIGNATURES: Final = (
    (_SHORTCUT, "application/x-ms-shortcut"),
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"#!", "text/x-shellscript"),
)
_GENERIC: Final = frozenset({UNKNOWN_TYPE, "text/plain", "application/zip"})


class Sniffer:
    """Knows files by their bytes. May be used by any thread: each has its own libmagic."""

    def __init__(self) -> None:
        """Raises ConfigurationError where libmagic does not know the plainest files."""
        self._local = threading.local()
        for content_type, sample in _SAMPLES.items():
            if (found := self.sniff_head(sample).content_type) != content_type:
                raise ConfigurationError(f"libmagic takes a sample of {content_type} for {found}")

    def sniff_head(self, head: bytes) -> Sniffed:
        """What a file is of which only the first bytes are known."""
        if not head:
            return Sniffed("application/x-empty")
        if head.startswith(b"PK\x03\x04"):
            return Sniffed(containers.classify_head(head), certain=False)
        found = plain_type(self._magic().from_buffer(head))
        signed = _signed_type(head)
        if signed is None or found == signed:
            return Sniffed(found)
        # libmagic knows kinds of programs that the signature does not tell apart, and the reverse.
        return Sniffed(signed if found in _GENERIC else found, frozenset({signed}))

    async def sniff(self, size: int, read_range: ReadRange) -> Sniffed:
        """What a file of `size` bytes is: a small one is read, of others the head and the tail."""
        first = await read_range(0, size if size <= WHOLE_BYTES else HEAD_BYTES)
        head = first[:HEAD_BYTES]
        by_head = self.sniff_head(head)
        container = await _container(size, first, read_range)
        if container is None:
            return by_head
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return Sniffed(container.content_type, ambiguous=container.ambiguous)
        return Sniffed(by_head.content_type, by_head.alternatives | {container.content_type})

    def _magic(self) -> magic.Magic:
        if not hasattr(self._local, "magic"):
            self._local.magic = magic.Magic(mime=True)
        found: magic.Magic = self._local.magic
        return found


async def _container(size: int, first: bytes, read_range: ReadRange) -> containers.Container | None:
    """The ZIP that ends where the file ends, whatever its `first` bytes are."""
    start = max(0, size - containers.TAIL_BYTES)
    whole = len(first) == size
    tail = first[start:] if whole else await read_range(start, size - start)
    head = first[:HEAD_BYTES]
    directory = containers.find_directory(tail, size)
    if directory is None:
        return _unreadable(head)
    if directory.start >= start:
        data = tail[directory.start - start :][: directory.size]
    else:
        data = await read_range(directory.start, directory.size)
    found = containers.classify(directory, data, head)
    confused = found.ambiguous or containers.is_confused(tail, directory)
    return containers.Container(found.content_type, ambiguous=confused)


def _unreadable(head: bytes) -> containers.Container | None:
    """A file that begins as a ZIP, with a directory that is missing, too large or in ZIP64."""
    if not head.startswith(b"PK\x03\x04"):
        return None
    return containers.Container(containers.classify_head(head))


def _signed_type(head: bytes) -> str | None:
    """The type of a program that its first bytes alone give away."""
    for signature, content_type in _SIGNATURES:
        if head.startswith(signature):
            return content_type
    if head.startswith(_COMPOUND) and _INSTALLER_CLSID in head:
        return "application/x-msi"
    return None
