"""CPU time of uploads and GETs, compared with that of other proxies, in one run.

Each load goes through every side in turn, several times; the medians are compared. Seconds are of
the proxy's own processes, alone on one core. They mean little on another machine; ratios do. Load
and sink have the other core, and handle more than any proxy: see the rates.

Two processes of the same program may differ by a tenth, for as long as they live. To compare states
that differ by less, start each side several times: then the median of the starts counts.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.chart import draw
from bench.checkout import HERE, Checkout, parse_checkout
from bench.load import Load, run_load
from bench.sides import TOKEN, Bench, Side

RESULTS = Path(__file__).parent / "results"
CHART = HERE.directory / "docs" / "speed.svg"
LOADS = {
    "100 KiB": Load(100 * 1024, 1200, 4),
    "1 MiB": Load(1024**2, 400, 4),
    "64 MiB": Load(64 * 1024**2, 8, 2),
    "1 GiB": Load(1024**3, 1, 1),
    "GET 400 B": Load(400, 6400, 16, gets=True),
    "GET 10 MiB": Load(10 * 1024**2, 80, 4, gets=True),
}
SMALL = 1024**2
"""The cost of larger bodies is printed per GiB, that of smaller ones per request."""

BASELINE = "nginx"
TITLE = f"CPU of the proxy for one relayed upload ({BASELINE} = 1)"


@dataclass
class Cost:
    """The cost of one side under one load, once for each round or start."""

    cpu: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def main() -> None:
    """Measure, print and save."""
    options = _options()
    loads = {name: load for name, load in LOADS.items() if name in options.loads}
    starts = [_measure(loads, options) for _ in range(options.starts)]
    figures = {name: _of_starts([start[name] for start in starts]) for name in loads}
    for name, costs in figures.items():
        _print(name, costs, f"{options.rounds} rounds in {options.starts} starts")
    RESULTS.mkdir(exist_ok=True)
    document = {
        name: {side: {"cpu": cost.median, "rate": cost.rate} for side, cost in costs.items()}
        for name, costs in figures.items()
    }
    (RESULTS / "relay.json").write_text(json.dumps(document, indent=2))
    if not options.beside:
        uploads = {name: costs for name, costs in figures.items() if not loads[name].gets}
        if uploads:
            draw({name: _ratios(costs) for name, costs in uploads.items()}, TITLE, CHART)


def _measure(loads: Mapping[str, Load], options: argparse.Namespace) -> dict[str, dict[str, Cost]]:
    """The cost of each load by side, of processes that are started for it."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        sides = _sides(Bench(stack, Path(directory)), options.sides, options.beside)
        return {name: _compare(load, sides, options.rounds) for name, load in loads.items()}


def _of_starts(starts: Sequence[dict[str, Cost]]) -> dict[str, Cost]:
    """The cost of each side, once for each start."""
    return {
        side: Cost([start[side].median for start in starts], [start[side].rate for start in starts])
        for side in starts[0]
    }


def _ratios(costs: dict[str, Cost]) -> dict[str, float]:
    baseline = costs[BASELINE].median
    return {side: cost.median / baseline for side, cost in costs.items() if cost.median}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=1, help="of each side's processes")
    parser.add_argument("--loads", nargs="+", default=list(LOADS), choices=list(LOADS))
    parser.add_argument("--sides", nargs="+", default=[""], help="beginnings of their names")
    parser.add_argument("--beside", type=parse_checkout, metavar="DIR", help="another checkout")
    return parser.parse_args()


def _sides(bench: Bench, wanted: list[str], beside: Checkout | None) -> list[Side]:
    makers: dict[str, Callable[[str], Side]] = {
        "no proxy": lambda _: bench.direct(),
        "nginx": bench.nginx,
        "nginx 256k": lambda name: bench.nginx(name, "client_body_buffer_size 256k;"),
        "aiohttp": lambda name: bench.python(name, "aiohttp_relay"),
        "starlette": lambda name: bench.python(name, "starlette_relay", passes=False),
        "gateway plain": lambda name: bench.gateway(name, _settings("plain", "off")),
        "gateway off": lambda name: bench.gateway(name, _settings("fast", "off")),
        "gateway crc32c": lambda name: bench.gateway(name, _settings("fast", "crc32c")),
        "gateway sha256": lambda name: bench.gateway(name, _settings("fast", "sha256")),
    }
    if beside:
        program = [str(beside.program)]
        makers |= {
            f"gateway off ({beside.name})": lambda name: bench.gateway(
                name, _settings("fast", "off"), program=program
            ),
            f"gateway crc32c ({beside.name})": lambda name: bench.gateway(
                name, _settings("fast", "crc32c"), program=program
            ),
        }
    return [
        make(name)
        for name, make in makers.items()
        if name == BASELINE or any(name.startswith(word) for word in wanted)
    ]


def _settings(engine: str, digest: str) -> dict[str, str]:
    return {"GATEWAY_ENGINE": engine, "GATEWAY_HASH": digest}


def _compare(load: Load, sides: list[Side], rounds: int) -> dict[str, Cost]:
    sides = [side for side in sides if side.passes or not load.gets]
    found = {side.name: Cost() for side in sides}
    for number in range(rounds + 1):
        for side in sides:
            before = side.cpu_seconds()
            seconds = run_load(side.url, load, TOKEN)
            used = side.cpu_seconds() - before
            if number:  # the first round fills caches and pools
                small = load.size < SMALL
                found[side.name].cpu.append(
                    1000 * used / load.uploads if small else used / load.gib
                )
                found[side.name].rates.append((load.uploads if small else load.gib) / seconds)
    return found


def _print(name: str, costs: dict[str, Cost], times: str) -> None:
    small = LOADS[name].size < SMALL
    cost_unit, rate_unit = ("ms/request", "1/s") if small else ("s/GiB", "GiB/s")
    print(f"\n{name}: the proxy's CPU, median of {times}")
    width = max(map(len, costs))
    for side, cost in costs.items():
        ratio = cost.median / costs[BASELINE].median
        print(
            f"  {side:<{width}} {cost.median:8.3f} {cost_unit} {ratio:7.2f} x {BASELINE}"
            f" {cost.rate:9.2f} {rate_unit}   {min(cost.cpu):.3f} to {max(cost.cpu):.3f}"
        )


if __name__ == "__main__":
    main()
