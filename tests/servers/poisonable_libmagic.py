"""A libmagic that files can kill: the real child, but for what some bytes do to it.

It runs under the limits that the real one runs under, and everything else it is asked it knows.
"""

import ctypes
from collections.abc import Callable

from workers.libmagic import child

CRASHES = b"crashes libmagic"
HANGS = b"makes libmagic hang"
SLEEPS = b"puts libmagic to sleep"
EATS = b"makes libmagic eat memory"
OPENS = b"makes libmagic open a file"
STARTS = b"makes libmagic start a process"
CONNECTS = b"makes libmagic connect"


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    real_load = child.load

    def load() -> Callable[[bytes], str]:
        type_of = real_load()

        def poisonable(head: bytes) -> str:
            if CRASHES in head:
                ctypes.string_at(0)
            while HANGS in head:
                pass
            while SLEEPS in head:
                libc.sleep(3600)
            if EATS in head:
                hoard = []
                while True:
                    hoard.append(bytearray(1 << 20))
            for poison, call in {
                OPENS: lambda: libc.open(b"/dev/null", 0),
                STARTS: lambda: libc.fork(),
                CONNECTS: lambda: libc.socket(2, 1, 0),
            }.items():
                if poison in head:
                    return f"x-result/{call()}; errno={ctypes.get_errno()}"
            return type_of(head)

        return poisonable

    child.load = load
    child.main()


if __name__ == "__main__":
    main()
