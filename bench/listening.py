"""What open event streams and idle WebSockets cost: memory for each, and relays next to them.

`python -m bench.listening [COUNT]` opens 2,000 event streams (`/gateway/events`, each of another
subject) to one process, and as many WebSockets to another one. Each time, relays of 100 KiB go
through the same process before, meanwhile and afterwards. It prints resident memory for each of the
connections that were opened first, and medians over all rounds: CPU of all of them in a second if
nothing happens, and CPU and duration of a relay as ratios of the one without them. Then it prints
how long the gateway counts clients that leave: those that close, and those that vanish (nothing
that is sent to them is acknowledged). It exits with 1 if a relay is slower by more than a tenth.
"""

import argparse
import ctypes
import resource
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from bench.load import Load, time_load
from bench.sides import TOKEN, Bench, Side
from gateway.stack.ports import HOST, free_port

COUNT = 2000
RELAYS = Load(100 * 1024, 800, 4)
LARGEST_RATIO = 1.1
VANISHING = 20
CALM_SECONDS = 15.0
"""Seconds in which nothing happens: as long as the pause between two heartbeats."""

PATIENCE = 1200.0
"""Longer than kernels wait for an acknowledgement."""

_SO_ATTACH_FILTER = 26
_PLENTY = {
    "GATEWAY_MAX_CONNECTIONS": "20000",
    "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "0",
    "GATEWAY_LOG_LEVEL": "warning",
}
_HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@dataclass(frozen=True)
class Kind:
    """A kind of connections that stay open; `gauge` counts those of a gateway."""

    name: str
    path: str
    gauge: str
    status: bytes
    lines: tuple[str, ...] = ()


KINDS = (
    Kind("event streams", "/gateway/events", "chatkitty_gateway_listeners", b"200"),
    Kind("WebSockets", "/rtm/websocket", "chatkitty_gateway_websockets", b"101", _HANDSHAKE),
)


@dataclass
class Found:
    """The results of one kind: of each round, bytes for each, CPU seconds, and ratios."""

    memory: list[float] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    vanished: float = 0.0


class Open:
    """Connections that stay open; nothing of what comes is read."""

    def __init__(self, side: Side, kind: Kind, count: int) -> None:
        address = urlsplit(side.url)
        self._connections = [
            _connect((str(address.hostname), int(address.port or 0)), kind, number)
            for number in range(count)
        ]

    def close(self) -> None:
        """Close all, as a client does."""
        for connection in self._connections:
            connection.close()

    def vanish(self) -> None:
        """Leave without a word."""
        for connection in self._connections:
            vanish(connection)


@dataclass(frozen=True)
class Relayed:
    """What a relay takes: CPU seconds of the gateway, and seconds."""

    cpu: float
    took: float


def vanish(connection: socket.socket) -> None:
    """Receive and acknowledge nothing any more: the kernel drops what comes. Linux only."""
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HL", 1, ctypes.addressof(drop_all))
    connection.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=COUNT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vanish", action="store_true", help="also wait for clients that vanish")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8 * options.count, most), most))
    tokens = [f"bench:{TOKEN}", *(f"l{number}:{_token(number)}" for number in range(options.count))]
    settings = {
        **_PLENTY,
        "GATEWAY_AUTH_STATIC_TOKENS": ",".join(tokens),
        "GATEWAY_MAX_LISTENERS": str(2 * options.count),
        "GATEWAY_MAX_WEBSOCKETS": str(2 * options.count),
    }
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        ratios = []
        for kind in KINDS:
            found, admin_port = Found(), free_port()
            own = {**settings, "GATEWAY_ADMIN_PORT": str(admin_port)}
            side = bench.gateway(f"gateway of {kind.name}", own)
            metrics = f"http://{HOST}:{admin_port}/metrics"
            _relay(side)  # fills caches and pools
            for _ in range(options.rounds):
                _measure(side, metrics, kind, options.count, found)
            if options.vanish:
                found.vanished = _vanish(side, metrics, kind)
            _print(kind, options.count, found)
            ratios.append(statistics.median(found.took))
    sys.exit(0 if max(ratios) <= LARGEST_RATIO else 1)


def _measure(side: Side, metrics: str, kind: Kind, count: int, found: Found) -> None:
    """One round: without them, with them, and without them again."""
    before = _relay(side)
    memory = side.memory
    connections = Open(side, kind, count)
    _wait_for(metrics, kind, count)
    found.memory.append((side.memory - memory) / count)
    used = side.cpu_seconds()
    time.sleep(CALM_SECONDS)
    found.calm.append((side.cpu_seconds() - used) / CALM_SECONDS)
    beside = _relay(side)
    connections.close()
    found.closed.append(_wait_for(metrics, kind, 0))
    after = _relay(side)
    found.cpu.append(2 * beside.cpu / (before.cpu + after.cpu))
    found.took.append(2 * beside.took / (before.took + after.took))


def _vanish(side: Side, metrics: str, kind: Kind) -> float:
    """The seconds for which clients that vanish are counted."""
    connections = Open(side, kind, VANISHING)
    _wait_for(metrics, kind, VANISHING)
    connections.vanish()
    seconds = _wait_for(metrics, kind, 0)
    connections.close()
    return seconds


def _relay(side: Side) -> Relayed:
    before = side.cpu_seconds()
    taken = time_load(side.url, RELAYS, TOKEN)
    return Relayed((side.cpu_seconds() - before) / RELAYS.uploads, statistics.median(taken))


def _wait_for(metrics: str, kind: Kind, count: int) -> float:
    """The seconds until the gateway counts that many. Raises TimeoutError."""
    started = time.monotonic()
    while _counted(metrics, kind) != count:
        if time.monotonic() - started > PATIENCE:
            raise TimeoutError(f"the gateway counts other than {count} {kind.name}")
        time.sleep(0.1)
    return time.monotonic() - started


def _counted(metrics: str, kind: Kind) -> int:
    with urlopen(metrics) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = (sample for family in families for sample in family.samples)
    return int(sum(sample.value for sample in samples if sample.name == kind.gauge))


def _connect(address: tuple[str, int], kind: Kind, number: int) -> socket.socket:
    lines = (
        f"GET {kind.path} HTTP/1.1",
        f"Host: {address[0]}",
        f"Authorization: Bearer {_token(number)}",
        *kind.lines,
    )
    connection = socket.create_connection(address)
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    head = _head(connection)
    assert head.startswith(b"HTTP/1.1 " + kind.status), head
    return connection


def _head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65_536)
        assert received, "the connection was closed"
        data += received
    return data


def _token(number: int) -> str:
    return f"listener-{number}"


def _print(kind: Kind, count: int, found: Found) -> None:
    def median(values: Sequence[float]) -> float:
        return statistics.median(values)

    print(
        f"{count} {kind.name}: {found.memory[0] / 1024:.1f} KiB each,"
        f" {1000 * median(found.calm):.0f} ms of CPU a second;"
        f" a relay next to them {median(found.took):.2f} x the time"
        f" ({min(found.took):.2f} to {max(found.took):.2f}), {median(found.cpu):.2f} x the CPU;"
        f" free {median(found.closed):.1f} s after all were closed"
        + (f", {found.vanished:.0f} s after they vanished" if found.vanished else "")
    )


if __name__ == "__main__":
    main()
