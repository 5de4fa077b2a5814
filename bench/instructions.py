"""Instructions of the gateway for each request, counted by valgrind: nearly the same every time.

`python -m bench.instructions [--kinds KIND ... --] [PYTHON ...]` counts them for the gateways that
the given interpreters import, or for this one. An interpreter of another work tree shows what has
changed since. Every gateway receives the same bytes over one connection; boundaries and file names
are new for each upload. Only the event loop's thread counts, since other threads work by the clock.
The loop has some such work too, and does more of it the slower it runs: so the round with the
fewest instructions counts.
"""

import argparse
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import PATH, around, read_answer
from bench.sides import TOKEN, Bench, Side

REQUESTS = 60
"""In each round; the first one fills caches and pools, and does not count."""

ROUNDS = 8
KIB = 1024
_BYTES = bytes(range(256)) * 400
_VALGRIND = ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes")
_LOOP = "-01"
"""The ending of the names of the first thread's counts."""

_START_SECONDS = 600.0
_LIMITS = ("UPSTREAM", "BODY", "HEAD", "IDLE", "ANSWER")
_SETTINGS = {
    "PYTHONHASHSEED": "0",
    "GATEWAY_HASH": "crc32c",  # whatever the gateway's default is
    "PYTHONSAFEPATH": "1",  # import the interpreter's gateway, not this directory's
    **{f"GATEWAY_{limit}_TIMEOUT": "600" for limit in _LIMITS},  # all takes fifty times as long
}
_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Kind:
    """One kind of request: an upload of `size` bytes, relayed or hosted, or a GET."""

    size: int | None
    hosted: bool = False

    def requests(self, host: str) -> Iterator[bytes]:
        """The requests, always the same ones."""
        for number in count():
            if self.size is None:
                lines = f"Host: {host}\r\nAuthorization: Bearer {TOKEN}"
                yield f"GET {PATH} HTTP/1.1\r\n{lines}\r\n\r\n".encode()
            else:
                before, after = around(host, TOKEN, self.size, number=number)
                yield before + _BYTES[: self.size] + after


KINDS = {
    "relay-1k": Kind(KIB),
    "relay-100k": Kind(100 * KIB),
    "external-1k": Kind(KIB, hosted=True),
    "get": Kind(None),
}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("pythons", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    for name in options.kinds:
        for python in options.pythons:
            with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
                rounds = _count(KINDS[name], python, stack, Path(directory))
            print(f"{name:<12} {min(rounds):>11,} to {max(rounds):>11,}  {python}", flush=True)


def _count(kind: Kind, python: str, stack: ExitStack, directory: Path) -> list[int]:
    """The instructions for each request, in each round."""
    bench = Bench(stack, directory)
    settings = dict(_SETTINGS)
    if kind.hosted:
        settings |= {"GATEWAY_DELIVERY": "external", "GATEWAY_REGISTRATION_WAIT": "0"}
        settings |= bench.seaweedfs().settings()
    counts = f"--callgrind-out-file={directory / 'counts'}"
    program = [*_VALGRIND, counts, python, "-m", "gateway.cli"]
    side = bench.gateway("gateway", settings, program=program, patience=_START_SECONDS)
    _control(side, "--instr=on")
    for _ in _rounds(side, kind):
        _control(side, "--dump")
    _, *rounds = (_total(dump) for dump in sorted(directory.glob(f"counts.*{_LOOP}")))
    return [total // REQUESTS for total in rounds]


def _rounds(side: Side, kind: Kind) -> Iterator[None]:
    """Yields after each round."""
    address = urlsplit(side.url)
    requests = kind.requests(str(address.hostname))
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(1 + ROUNDS):
            for _ in range(REQUESTS):
                connection.sendall(next(requests))
                read_answer(connection, 202 if kind.hosted else 200)
            yield


def _control(side: Side, action: str) -> None:
    subprocess.run(["callgrind_control", action, str(side.pid)], check=True, capture_output=True)


def _total(dump: Path) -> int:
    found = _TOTAL.search(dump.read_text())
    assert found is not None, f"{dump} has no total"
    return int(found[1])


if __name__ == "__main__":
    main()
