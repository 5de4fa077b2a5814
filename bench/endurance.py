"""Very many small uploads through a whole deployment: what grows that should not.

`python -m bench.endurance [UPLOADS]` sends 100,000 of 2 KiB, of which one in 25 is hosted, no
faster than the workers see their ends. It exits with 1 where the resident memory of gateway or
worker is over 5 % above what it was after a tenth of them, their file descriptors are more, or the
p99 of the last tenth is over 1.5 times that of the second.
"""

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.capacity import Deployment
from bench.load import Load, time_load

UPLOADS = 100_000
TENTHS = 10
BLOCK = 2000
"""Uploads before the workers are waited for."""

RELAYED = Load(2048, 1920, 8)
HOSTED = Load(2048, 80, 4, status=202, path="/channels/702/messages")
PARTS = ("gateway-1", "worker")
MOST_MEMORY = 1.05
MOST_P99 = 1.5
MOST_DESCRIPTORS = 8
"""By how many they may differ from one look to the next: connections come and go."""

_ROUTES = """
[[routes]]
path = "/channels/*/messages"
delivery = "external"
"""


@dataclass(frozen=True)
class Look:
    """What is held after so many uploads, and what the last of them took, in seconds."""

    uploads: int
    held: dict[str, tuple[int, int]]
    p99: float

    def __str__(self) -> str:
        held = ", ".join(
            f"{part} {memory / 1024**2:.1f} MiB and {descriptors} descriptors"
            for part, (memory, descriptors) in self.held.items()
        )
        return f"{self.uploads:>7}: {held}; p99 {1000 * self.p99:.1f} ms"


def main() -> None:
    """Send, and tell what was held after each tenth."""
    uploads = int(sys.argv[1]) if len(sys.argv) > 1 else UPLOADS
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        routes = directory / "routes.toml"
        routes.write_text(_ROUTES)
        settings = {"GATEWAY_DELIVERY": "relay", "GATEWAY_CONFIG": str(routes)}
        deployment = Deployment(stack, directory / "stack", settings)
        looks = []
        for tenth in range(1, TENTHS + 1):
            looks.append(_tenth(deployment, uploads // TENTHS // BLOCK, tenth))
            print(looks[-1], flush=True)
    faults = _faults(looks)
    print("\n".join(faults) or "nothing grows")
    sys.exit(1 if faults else 0)


def _tenth(deployment: Deployment, blocks: int, tenth: int) -> Look:
    taken: list[float] = []
    for block in range(1, blocks + 1):
        for load in (RELAYED, HOSTED):
            taken += time_load(deployment.url, load, deployment.token)
        sent = ((tenth - 1) * blocks + block) * BLOCK
        while deployment.ended() < sent:
            time.sleep(0.05)
    held = {part: deployment.held(part) for part in PARTS}
    return Look(tenth * blocks * BLOCK, held, statistics.quantiles(taken, n=100)[-1])


def _faults(looks: list[Look]) -> list[str]:
    first, last = looks[0], looks[-1]
    faults = []
    for part in PARTS:
        (memory, descriptors), (most, more) = first.held[part], last.held[part]
        if most > MOST_MEMORY * memory:
            faults.append(f"{part} has {most / memory:.2f} times its memory")
        if more > descriptors + MOST_DESCRIPTORS:
            faults.append(f"{part} has {more - descriptors} descriptors more")
    if last.p99 > MOST_P99 * looks[1].p99:
        faults.append(f"the p99 is {last.p99 / looks[1].p99:.2f} times what it was")
    return faults


if __name__ == "__main__":
    main()
