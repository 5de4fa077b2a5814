"""Latency of small GETs from thousands of clients, on connections that are mostly idle.

`python -m bench.crowd [CONNECTIONS]` opens 2,000, and sends one GET of 400 bytes a second on each.
The memory of a connection is the growth of the proxy's resident memory, divided by the number of
connections; it includes the proxy's connections to the sink.
"""

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import get
from bench.sides import TOKEN, Bench, Side

CONNECTIONS = 2000
SECONDS = 10
SIZE = 400
_BODY = bytes(SIZE)
BATCH = 40
"""This many requests are sent at once, before the next ones are due."""

SETTINGS = {"GATEWAY_MAX_CONNECTIONS": "10000", "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "0"}


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, taken: list[float]) -> None:
        self._request = request
        self._taken = taken
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def ask(self) -> None:
        self._started = time.perf_counter()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Handle an answer; its body is small enough to arrive in one piece."""
        assert data.startswith((b"HTTP/1.1 200 ", _BODY)), data
        if data.endswith(_BODY):
            self._taken.append(time.perf_counter() - self._started)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CONNECTIONS
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * count, most), most))
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        sides = [bench.nginx("nginx")]
        for engine in ("fast", "plain"):
            settings = {**SETTINGS, "GATEWAY_ENGINE": engine}
            sides.append(bench.gateway(f"gateway {engine}", settings))
        print(f"{count} connections, a GET a second on each, for {SECONDS} s")
        for side in sides:
            asyncio.run(_measure(side, count))


async def _measure(side: Side, count: int) -> None:
    address = urlsplit(side.url)
    host, port = str(address.hostname), int(address.port or 0)
    request = get(host, TOKEN, SIZE)
    taken: list[float] = []
    memory = side.memory
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(count):
        _, client = await loop.create_connection(lambda: Client(request, taken), host, port)
        clients.append(client)
    before = side.cpu_seconds()
    for _ in range(SECONDS):
        await _ask_within_a_second(clients)
    used = side.cpu_seconds() - before
    half, nearly_all = (1000 * statistics.quantiles(taken, n=100)[at] for at in (49, 98))
    print(
        f"  {side.name:<14} p50 {half:6.1f} ms, p99 {nearly_all:6.1f} ms,"
        f" {1000 * used / len(taken):.3f} ms of CPU each,"
        f" {(side.memory - memory) / count / 1024:.1f} KiB a connection",
        flush=True,
    )
    for client in clients:
        client.transport.abort()


async def _ask_within_a_second(clients: list[Client]) -> None:
    started = time.perf_counter()
    for at in range(0, len(clients), BATCH):
        for client in clients[at : at + BATCH]:
            client.ask()
        due = started + (at + BATCH) / len(clients)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


if __name__ == "__main__":
    main()
