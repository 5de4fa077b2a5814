"""Free ports of this machine's loopback address."""

import random
import socket
from contextlib import suppress

HOST = "127.0.0.1"
LAST = 65_535


def free_ports(count: int) -> list[int]:
    """`count` distinct free ports, which no other caller gets for a while.

    A connection to each port has just ended, which the kernel remembers (TIME_WAIT, a minute on
    Linux). During that time, it gives the port to no process that asks for any port, neither to
    listen nor to connect. A server that names the port and sets SO_REUSEADDR, as all do, gets it.
    """
    return [free_port() for _ in range(count)]


def free_port() -> int:
    """One free port."""
    return _kept(0)


def free_port_from(lowest: int) -> int:
    """One free port, like those of `free_ports`, from `lowest` on. Raises OSError if none is."""
    ports = range(lowest, LAST + 1)
    for port in random.sample(ports, len(ports)):
        with suppress(OSError):
            return _kept(port)
    raise OSError(f"no port from {lowest} to {LAST} is free")


def _kept(port: int) -> int:
    """Have the kernel keep the port, or a free one for 0. Raises OSError if it is not free."""
    with socket.socket() as listening, socket.socket() as client:
        listening.bind((HOST, port))
        # Only now: before, it would have bound a port that is kept for another caller.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.listen()
        client.connect(listening.getsockname())
        served, _ = listening.accept()
        served.close()  # the side that closes first remembers
        client.recv(1)
        kept: int = listening.getsockname()[1]
        return kept
