"""Named points at which a process kills itself, so that tests can tell what a crash there does."""

import os
import signal

_POINT = os.environ.get("CRASH_AT", "")
"""Set by tests only, and read once. Not a setting: it has no `GATEWAY_` prefix on purpose."""


def point(name: str) -> None:
    """Die here, by SIGKILL, where a test has asked for it."""
    if name == _POINT:
        os.kill(os.getpid(), signal.SIGKILL)
