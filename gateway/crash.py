"""Named points at which a process kills or stops itself, so that tests can tell what follows."""

import os
import signal

_SIGNALS = {
    os.environ.get("CRASH_AT"): signal.SIGKILL,
    os.environ.get("STOP_AT"): signal.SIGSTOP,
}
"""Set by tests only, and read once. No settings: they have no `GATEWAY_` prefix on purpose."""


def point(name: str) -> None:
    """Die here by SIGKILL, or stand still until SIGCONT, where a test has asked for it."""
    if name in _SIGNALS:
        os.kill(os.getpid(), _SIGNALS[name])
