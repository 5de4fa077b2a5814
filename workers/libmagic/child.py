"""The process that libmagic runs in: reads heads of files from its input, writes their types.

A question is four bytes of length (big endian) and that many bytes; an answer is one byte of length
and a media type, empty if libmagic has none. Many questions may be sent at once; each is answered
before the next is looked at. The first answer comes without a question: `ok`, and how the process
is confined, or why it cannot work. Started as `python -m workers.libmagic.child`.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO, Final

from gateway.lineage import die_with_parent
from workers.libmagic import confine

OK: Final = "ok"

_SAMPLES: Final = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01",
    "application/pdf": b"%PDF-1.4\n",
}
_LONGEST: Final = 255
_BUFFER: Final = 64 * 1024
"""Bytes that are read at once: those of many questions."""


def main() -> None:
    """Answer until the input ends."""
    die_with_parent()
    source = os.fdopen(0, "rb", buffering=_BUFFER, closefd=False)  # later, nothing can be opened
    try:
        type_of = load()
        means = confine.confine()
        _try(type_of)
    except Exception as error:  # noqa: BLE001 - whatever it is, the worker has to tell it
        _say(f"{type(error).__name__}: {error}")
        return
    _say(f"{OK}, {means}")
    for head in _questions(source):
        confine.begin_counting()
        try:
            found = type_of(head)
        except Exception:  # noqa: BLE001 - libmagic's own, or no memory: both are no answer
            found = ""
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say(found)


def load() -> Callable[[bytes], str]:
    """Load libmagic with its database: no file can be opened later. Raises what it raises."""
    # Imported here: it fails without libmagic, and the worker itself does not need it.
    with suppress(ImportError):  # use its libmagic if installed, else the system's
        import pylibmagic  # noqa: F401, PLC0415 - must be imported before magic
    import magic  # noqa: PLC0415

    type_of: Callable[[bytes], str] = magic.Magic(mime=True).from_buffer
    return type_of


def _try(type_of: Callable[[bytes], str]) -> None:
    for content_type, sample in _SAMPLES.items():
        if (found := type_of(sample)) != content_type:
            raise ValueError(f"it identifies a sample of {content_type} as {found}")


def _questions(source: BinaryIO) -> Iterator[bytes]:
    """The questions, until the input ends."""
    while len(length := source.read(4)) == 4:
        yield source.read(int.from_bytes(length))


def _say(text: str) -> None:
    data = text.encode(errors="replace")[:_LONGEST]
    os.write(1, bytes([len(data)]) + data)


if __name__ == "__main__":
    main()
