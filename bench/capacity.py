"""What the parts of a deployment use while idle, and what an open upload holds.

Figures of docs/capacity.md; `python -m bench.price` has those of an upload.
"""

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select
from urllib.parse import urlsplit

from bench.deployment import Deployment
from bench.load import around

DELIVERIES = ("relay", "external")
OPEN = 16
"""Few enough for one subject's share of memory: beyond that, uploads are refused."""

SENT = 4 * 1024**2
_MIB = 1024**2


def main() -> None:
    """Measure and print."""
    for delivery in DELIVERIES:
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            deployment = Deployment(stack, Path(name), {"GATEWAY_DELIVERY": delivery})
            print(f"\n{delivery}")
            _print_idle(deployment)
            _print_open(deployment)


def _print_idle(deployment: Deployment) -> None:
    idle = deployment.idle()
    used = ", ".join(
        f"{part} {seconds / idle.seconds:.1%} and {deployment.held(part)[0] / _MIB:.0f} MiB"
        for part, seconds in idle.cpu.items()
    )
    print(f"  idle: {used}; {idle.commands / idle.seconds:.1f} commands/s", flush=True)


def _print_open(deployment: Deployment) -> None:
    # First, so that the heap has no freed memory that these uploads could use.
    before, _ = deployment.held("gateway")
    with _open_uploads(deployment):
        held = deployment.held("gateway")[0] - before
    print(
        f"  {OPEN} open uploads of which {SENT // _MIB} MiB have come:"
        f" {held / OPEN / 1024:.0f} KiB each",
        flush=True,
    )


@contextmanager
def _open_uploads(deployment: Deployment) -> Iterator[None]:
    """Raises AssertionError if any is refused."""
    address = urlsplit(deployment.url)
    connections = []
    with ExitStack() as stack:
        for _ in range(OPEN):
            connection = stack.enter_context(
                socket.create_connection((address.hostname, address.port))
            )
            opening, _ = around(str(address.hostname), deployment.token, 16 * SENT)
            connection.sendall(opening + os.urandom(SENT))
            connections.append(connection)
        time.sleep(1)
        yield
        answered, _, _ = select(connections, [], [], 0)
        assert not answered, f"{len(answered)} of {OPEN} uploads were refused"


if __name__ == "__main__":
    main()
