"""A libmagic that files can kill: the real child, except for some special bytes.

It runs under the same limits as the real one, and identifies all other files.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import NoReturn

from workers.libmagic import child, confine

CRASHES = b"crashes libmagic"
HANGS = b"makes libmagic hang"
SLEEPS = b"puts libmagic to sleep"
WAITS = b"makes libmagic wait"
"""For as long as it may: without using its time."""
EATS = b"makes libmagic eat memory"
OPENS = b"makes libmagic open a file"
STARTS = b"makes libmagic start a process"
CONNECTS = b"makes libmagic connect"

_libc = ctypes.CDLL(None, use_errno=True)
_load = child.load


def main() -> None:
    """Be a child; one that hangs has less time than a real one, so that tests wait less."""
    vars(confine)["CPU_SECONDS"] = 0.5
    child.load = load
    child.main()


def load() -> Callable[[bytes], str]:
    type_of = _load()

    def poisonable(head: bytes) -> str:
        for poison, harm in _HARMS.items():
            if poison in head:
                return f"x-result/{harm()}; errno={ctypes.get_errno()}"
        return type_of(head)

    return poisonable


def _crash() -> None:
    ctypes.string_at(0)


def _hang() -> NoReturn:
    while True:
        pass


def _sleep() -> NoReturn:
    while True:
        _libc.sleep(3600)


def _wait() -> None:
    lock = threading.Lock()
    for _ in range(2):
        lock.acquire()


def _eat() -> NoReturn:
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


def _open() -> int:
    return int(_libc.open(b"/dev/null", 0))


def _connect() -> int:
    return int(_libc.socket(2, 1, 0))


_HARMS: dict[bytes, Callable[[], int | None]] = {
    CRASHES: _crash,
    HANGS: _hang,
    SLEEPS: _sleep,
    WAITS: _wait,
    EATS: _eat,
    OPENS: _open,
    STARTS: _libc.fork,
    CONNECTS: _connect,
}


if __name__ == "__main__":
    main()
