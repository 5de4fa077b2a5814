"""CPU time of the relay beside nginx's, in one run; then the scanner alone.

Each load goes through every side in turn, several times; the medians are compared. Seconds are of
the proxy's own processes, and mean little on another machine; ratios do.
"""

import asyncio
import json
import statistics
import tempfile
from pathlib import Path

from bench import scanner
from bench.load import Load, run_load
from bench.sides import TOKEN, Side, all_sides

ROUNDS = 5
RESULTS = Path(__file__).parent / "results" / "relay.json"
LOADS = {
    "100 KiB, ms a request": Load(100 * 1024, 400, 4),
    "64 MiB, s a GiB": Load(64 * 1024**2, 8, 2),
}
BASELINE = "nginx"


def main() -> None:
    """Measure, print and save."""
    with (
        tempfile.TemporaryDirectory() as directory,
        all_sides(Path(directory)) as sides,
    ):
        figures = {name: _compare(load, sides) for name, load in LOADS.items()}
    for name, costs in figures.items():
        print(f"\n{name}, of the proxy's CPU (median of {ROUNDS})")
        for side, cost in costs.items():
            ratio = cost / costs[BASELINE]
            print(f"  {side:<16} {cost:8.3f}   {ratio:5.2f} x {BASELINE}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2))
    print()
    scanner.main()


def _compare(load: Load, sides: list[Side]) -> dict[str, float]:
    found: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(ROUNDS + 1):
        for side in sides:
            found[side.name].append(_cost(load, side))
    # The first round fills caches and pools.
    return {name: statistics.median(costs[1:]) for name, costs in found.items() if any(costs)}


def _cost(load: Load, side: Side) -> float:
    before = side.cpu_seconds()
    asyncio.run(run_load(side.url, load, TOKEN))
    used = side.cpu_seconds() - before
    return 1000 * used / load.uploads if load.uploads >= 100 else used / load.gib


if __name__ == "__main__":
    main()
