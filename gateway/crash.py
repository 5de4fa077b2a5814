"""Named points at which a process kills or stops itself, so that tests can tell what follows."""

import os
import signal
import threading

_SIGNALS = {
    os.environ.get("CRASH_AT"): signal.SIGKILL,
    os.environ.get("STOP_AT"): signal.SIGSTOP,
}
"""Set by tests only, and read once. No settings: they have no `GATEWAY_` prefix on purpose."""


def point(name: str) -> None:
    """Die here by SIGKILL, or stand still until SIGCONT, where a test has asked for it.

    The signal goes to this thread: one for the process may stop the main thread first, and let
    this one run on for a while.
    """
    if name in _SIGNALS:
        signal.pthread_kill(threading.get_ident(), _SIGNALS[name])
