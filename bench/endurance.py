"""Very many small uploads through a whole deployment: does anything grow that should not?

`python -m bench.endurance [UPLOADS]` sends 100,000 uploads of 2 KiB, one in 25 of them hosted, no
faster than the workers finish them. It exits with 1 if the resident memory of the gateway or a
worker is more than 5 % above that after the first tenth, if their file descriptors grow by more
than pools of connections explain, or if the p99 of either delivery in the last tenth is more than
1.5 times that of the second tenth.
"""

import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.deployment import Deployment
from bench.load import Load, p99, time_load

UPLOADS = 100_000
TENTHS = 10
BLOCK = 2000
"""After this many uploads, the workers are waited for."""

LOADS = {
    "relays": Load(2048, 1920, 8),
    "hosted ones": Load(2048, 80, 4, status=202, path="/channels/702/messages"),
}
PARTS = ("gateway", "worker")
MOST_MEMORY = 1.05
MOST_P99 = 1.5
MOST_DESCRIPTORS = 64
"""Descriptors may grow by this many: pools of connections fill up as more happens at a time."""

_ROUTES = """
[[routes]]
path = "/channels/*/messages"
delivery = "external"
"""


@dataclass(frozen=True)
class Look:
    """What is held after `uploads` uploads, and how long the last of them took, in seconds."""

    uploads: int
    held: dict[str, tuple[int, int]]
    p99: dict[str, float]

    def __str__(self) -> str:
        held = ", ".join(
            f"{part} {memory / 1024**2:.1f} MiB and {descriptors} descriptors"
            for part, (memory, descriptors) in self.held.items()
        )
        p99 = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in self.p99.items())
        return f"{self.uploads:>7}: {held}; p99 {p99}"


def main() -> None:
    """Send, and print what is held after each tenth."""
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
    taken: dict[str, list[float]] = {name: [] for name in LOADS}
    for block in range(1, blocks + 1):
        for name, load in LOADS.items():
            taken[name] += time_load(deployment.url, load, deployment.token)
        sent = ((tenth - 1) * blocks + block) * BLOCK
        while deployment.ended() < sent:
            time.sleep(0.05)
    held = {part: deployment.held(part) for part in PARTS}
    slowest = {name: p99(seconds) for name, seconds in taken.items()}
    return Look(tenth * blocks * BLOCK, held, slowest)


def _faults(looks: list[Look]) -> list[str]:
    first, last = looks[0], looks[-1]
    faults = []
    for part in PARTS:
        (memory, descriptors), (most, more) = first.held[part], last.held[part]
        if most > MOST_MEMORY * memory:
            faults.append(f"{part} has {most / memory:.2f} times its memory")
        if more > descriptors + MOST_DESCRIPTORS:
            faults.append(f"{part} has {more - descriptors} descriptors more")
    for name, seconds in looks[1].p99.items():
        if last.p99[name] > MOST_P99 * seconds:
            faults.append(f"the p99 of {name} is {last.p99[name] / seconds:.2f} times what it was")
    return faults


if __name__ == "__main__":
    main()
