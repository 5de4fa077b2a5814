"""Free ports of this machine's loopback address."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"


_given: set[int] = set()
"""Ports that were given out, whose servers need not listen yet."""


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on, and that this process has not been given before."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            each = stack.enter_context(socket.socket())
            each.bind((HOST, 0))
            port = each.getsockname()[1]
            if port not in _given:
                found.append(port)
    _given.update(found)
    return found


def free_port() -> int:
    """One port that nobody listens on."""
    return free_ports(1)[0]
