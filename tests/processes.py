"""Processes of others, which may end at any time."""

import psutil


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended; a zombie has."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
