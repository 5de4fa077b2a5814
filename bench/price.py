"""The cost of an upload until the workers have finished it, in multiples of a request to nginx.

Whole deployments run on this machine. The cost is the CPU of the gateway, of the worker with its
children, and of Redis; the store's is printed as well. What idle parts use is subtracted. Each load
goes through nginx and every deployment in turn, over connections that are kept; the medians of the
rounds are compared. `--webhook` measures another deployment that sends a message about each end, to
a receiver that accepts it at once; its cost is counted until then.
"""

import argparse
import base64
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bench.chart import draw
from bench.checkout import HERE, Checkout, parse_checkout
from bench.deployment import Deployment, Usage
from bench.load import Load, run_load
from bench.sides import TOKEN, Bench, Side, use_all_cores
from gateway.metrics.catalogue import ENDS, WEBHOOK_DELIVERIES

RESULTS = HERE.directory / "var" / "price.json"
CHART = HERE.directory / "docs" / "price.svg"
DELIVERIES = {"relayed": "relay", "hosted": "external"}
LOADS = {
    "relayed": {
        "10 KiB": Load(10 * 1024, 800, 4),
        "100 KiB": Load(100 * 1024, 800, 4),
        "1 MiB": Load(1024**2, 200, 4),
        "64 MiB": Load(64 * 1024**2, 8, 2),
    },
    "hosted": {
        "10 KiB": Load(10 * 1024, 200, 4, 202),
        "100 KiB": Load(100 * 1024, 200, 4, 202),
        "1 MiB": Load(1024**2, 80, 4, 202),
        "64 MiB": Load(64 * 1024**2, 4, 2, 202),
    },
}
SIZES = list(LOADS["relayed"])
PARTS = {"gateway": "gateway", "worker": "worker", "redis": "Redis"}
_SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"


@dataclass(frozen=True)
class Variant:
    """What is deployed, with which further settings; `awaited` as for a deployment."""

    name: str
    checkout: Checkout
    settings: Mapping[str, str] = field(default_factory=dict)
    awaited: tuple[str, ...] = (ENDS.name,)


@dataclass(frozen=True)
class Price:
    """CPU milliseconds that one upload costs each part, and the uploads finished a second."""

    parts: Mapping[str, float]
    store: float
    commands: float
    rate: float

    @property
    def together(self) -> float:
        return sum(self.parts.values())


@dataclass(frozen=True)
class Prices:
    """One load: CPU milliseconds of nginx for one request, and the price of each checkout."""

    nginx: float
    deployments: Mapping[str, Price]


def main() -> None:
    """Measure, print and save."""
    options = _options()
    variants = [Variant(HERE.name, HERE)]
    if options.beside:
        variants.append(Variant(options.beside.name, options.beside))
    found: dict[str, dict[str, Prices]] = {}
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        nginx = bench.nginx("nginx")
        if options.webhook:
            variants.append(_with_webhook(bench.sink_url))
        use_all_cores()
        for delivery in options.deliveries:
            place = Path(directory) / delivery
            loads = {size: LOADS[delivery][size] for size in options.sizes}
            found[delivery] = _measure(delivery, loads, variants, nginx, place, options.rounds)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(_document(found), indent=2))
    if options.deliveries == list(DELIVERIES) and options.sizes == SIZES:
        draw(_bars(found), "CPU of one upload until its end (one request to nginx = 1)", CHART)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--deliveries", nargs="+", default=list(DELIVERIES), choices=list(DELIVERIES)
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES, choices=SIZES)
    parser.add_argument("--beside", type=parse_checkout, metavar="DIR", help="another checkout")
    parser.add_argument("--webhook", action="store_true", help="also with messages about each end")
    return parser.parse_args()


def _with_webhook(receiver: str) -> Variant:
    settings = {
        "GATEWAY_WEBHOOK_URL": f"{receiver}/hook",
        "GATEWAY_WEBHOOK_SECRET": _SECRET,
        "GATEWAY_WEBHOOK_ALLOW_HTTP": "true",
    }
    return Variant("with a webhook", HERE, settings, (ENDS.name, WEBHOOK_DELIVERIES.name))


def _measure(
    delivery: str,
    loads: Mapping[str, Load],
    variants: Iterable[Variant],
    nginx: Side,
    directory: Path,
    rounds: int,
) -> dict[str, Prices]:
    """The prices of each size; the deployments of all variants run at the same time."""
    found = {}
    with ExitStack() as stack:
        settings = {"GATEWAY_DELIVERY": DELIVERIES[delivery]}
        deployments = {
            each.name: Deployment(
                stack,
                directory / str(number),
                {**settings, **each.settings},
                each.checkout,
                each.awaited,
            )
            for number, each in enumerate(variants)
        }
        idle = {name: deployment.idle() for name, deployment in deployments.items()}
        for size, load in loads.items():
            found[size] = _compare(load, nginx, deployments, idle, rounds)
            _print(f"{delivery}, {size}", found[size])
    return found


def _compare(
    load: Load,
    nginx: Side,
    deployments: Mapping[str, Deployment],
    idle: Mapping[str, Usage],
    rounds: int,
) -> Prices:
    requests: list[float] = []
    prices: dict[str, list[Price]] = {name: [] for name in deployments}
    for _ in range(1 + rounds):
        requests.append(_request(nginx, load))
        for name, deployment in deployments.items():
            prices[name].append(_price(deployment.run(load).beyond(idle[name]), load))
    # The first round fills caches and pools.
    medians = {name: _median(of_one[1:]) for name, of_one in prices.items()}
    return Prices(statistics.median(requests[1:]), medians)


def _request(nginx: Side, load: Load) -> float:
    """The CPU milliseconds that nginx needs for one request of that size."""
    before = nginx.cpu_seconds()
    run_load(nginx.url, replace(load, status=200), TOKEN)
    return 1000 * (nginx.cpu_seconds() - before) / load.uploads


def _price(used: Usage, load: Load) -> Price:
    each = {part: 1000 * seconds / load.uploads for part, seconds in used.cpu.items()}
    return Price(
        parts={part: each[part] for part in PARTS},
        store=each["s3"],
        commands=used.commands / load.uploads,
        rate=load.uploads / used.seconds,
    )


def _median(prices: list[Price]) -> Price:
    """The median of each figure."""

    def of(figure: Callable[[Price], float]) -> float:
        return statistics.median(map(figure, prices))

    return Price(
        parts={part: statistics.median(price.parts[part] for price in prices) for part in PARTS},
        store=of(lambda price: price.store),
        commands=of(lambda price: price.commands),
        rate=of(lambda price: price.rate),
    )


def _print(name: str, prices: Prices) -> None:
    """Print rows of a table in Markdown, as docs/capacity.md has them."""
    here = prices.deployments[HERE.name]
    for checkout, price in prices.deployments.items():
        cells = [
            name if price is here else f"{name} ({checkout})",
            *(f"{milliseconds:.2f}" for milliseconds in price.parts.values()),
            f"{price.together:.2f}",
            f"{price.together / prices.nginx:.1f}",
            f"{price.commands:.1f}",
            f"{price.store:.1f}",
            f"{price.rate:.0f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
        if price is not here:
            print(f"together {here.together / price.together:.2f} x {checkout}", flush=True)


def _document(found: Mapping[str, Mapping[str, Prices]]) -> dict[str, object]:
    return {
        delivery: {size: asdict(prices) for size, prices in sizes.items()}
        for delivery, sizes in found.items()
    }


def _bars(found: Mapping[str, Mapping[str, Prices]]) -> dict[str, dict[str, float]]:
    """Multiples of a request to nginx, by load and part."""
    return {
        f"{delivery}, {size}": _multiples(prices)
        for delivery, sizes in found.items()
        for size, prices in sizes.items()
    }


def _multiples(prices: Prices) -> dict[str, float]:
    price = prices.deployments[HERE.name]
    costs = {name: price.parts[part] for part, name in PARTS.items()} | {"together": price.together}
    return {name: cost / prices.nginx for name, cost in costs.items()}


if __name__ == "__main__":
    main()
