"""Uploads while the broker restarts, dies, is full or frozen, and no supervisor restarts workers.

A worker and a beat are started once. At the end the same processes must still run, and no
acknowledged upload may be lost, doubled or wrong.
"""

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chaos.brokers.engines import ENGINES
from chaos.brokers.faults import Kind, shuffled
from chaos.brokers.run import Plan, run
from chaos.command import say

_SEEDS = 1_000_000


def main() -> int:
    """Run it; 0 if nothing was found, else 1."""
    options = _options()
    counts = {kind: getattr(options, f"{kind}s") for kind in _kinds_of(options.broker)}
    seconds = {
        Kind.MEMORY: options.full_seconds,
        Kind.DISK: options.full_seconds,
        Kind.FREEZE: options.freeze_seconds,
    }
    plan = Plan(
        broker=options.broker,
        pool=options.pool,
        faults=shuffled(counts, seconds, options.seed),
        pause=options.pause,
        rate=options.rate,
        seed=options.seed,
        sweep_interval=options.sweep_interval,
    )
    directory = Path(tempfile.mkdtemp(prefix="brokers-"))
    say(f"{plan.broker}, seed {plan.seed}, {len(plan.faults)} faults; logs: {directory}")
    result = run(plan, directory, say)
    sys.stderr.flush()
    print(json.dumps(result.as_json(), indent=1))
    if result.passed and not options.keep:
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if result.passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos.brokers", description=__doc__)
    parser.add_argument("--broker", choices=sorted(ENGINES), default="redis")
    parser.add_argument("--pool", choices=("threads", "processes", "solo"), default="threads")
    parser.add_argument("--rate", type=float, default=30.0, help="uploads a second")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(_SEEDS))
    for kind, count in _COUNTS.items():
        parser.add_argument(f"--{kind}s", type=int, default=count)
    parser.add_argument("--full-seconds", type=float, default=10.0)
    parser.add_argument("--freeze-seconds", type=float, default=60.0)
    parser.add_argument("--sweep-interval", type=float, default=30.0)
    parser.add_argument("--keep", action="store_true", help="keep data and logs in any case")
    return parser.parse_args()


_COUNTS = {
    Kind.RESTART: 20,
    Kind.KILL: 10,
    Kind.MEMORY: 3,
    Kind.DISK: 3,
    Kind.FREEZE: 1,
    Kind.FAILOVER: 1,
}


def _kinds_of(broker: str) -> Sequence[Kind]:
    return [kind for kind in Kind if kind in ENGINES[broker].kinds]


if __name__ == "__main__":
    sys.exit(main())
