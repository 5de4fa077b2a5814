"""Free ports of this machine's loopback address."""

import socket

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """`count` distinct free ports, which no other caller gets for a while.

    A connection to each port has just ended, which the kernel remembers (TIME_WAIT, a minute on
    Linux). During that time, it gives the port to no process that asks for any port, neither to
    listen nor to connect. A server that names the port and sets SO_REUSEADDR, as all do, gets it.
    """
    return [free_port() for _ in range(count)]


def free_port() -> int:
    """One free port."""
    with socket.create_server((HOST, 0)) as listening, socket.socket() as client:
        client.connect(listening.getsockname())
        served, _ = listening.accept()
        served.close()  # the side that closes first remembers
        client.recv(1)
        port: int = listening.getsockname()[1]
        return port
