"""Ends a process with its parent. Confined children import this, so it imports little."""

import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """In a child: have the kernel send it the signal when its parent is gone; on Linux.

    However the parent ends, even by SIGKILL. Source: prctl(2).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
