"""CPU time of `external`, compared with a bare aiobotocore upload of the same size, in one run.

The bare upload has its bytes in memory; the gateway also receives, scans and checks them.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from bench.load import Load, run_load
from bench.sides import TOKEN, Bench, Side
from gateway.stack.seaweedfs import SeaweedFS

ACCEPTED = 202
LOADS = {
    "100 KiB": Load(100 * 1024, 200, 4, ACCEPTED),
    "64 MiB": Load(64 * 1024**2, 4, 2, ACCEPTED),
}
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        store = bench.seaweedfs()
        settings = {
            "GATEWAY_DELIVERY": "external",
            "GATEWAY_REGISTRATION_WAIT": "0",
            **store.settings(),
        }
        sides = [
            bench.gateway(f"gateway {digest}", settings | {"GATEWAY_HASH": digest})
            for digest in ("crc32c", "sha256")
        ]
        for side in sides:
            run_load(side.url, LOADS["64 MiB"], TOKEN)
        for name, load in LOADS.items():
            _print(name, load, _compare(load, store, sides))


def _compare(load: Load, store: SeaweedFS, sides: list[Side]) -> dict[str, float]:
    """The median CPU seconds of each side."""
    cost: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for mode in ("default", "ours"):
            cost[f"bare, {mode}"].append(_bare(store, load, mode))
        for side in sides:
            before = side.cpu_seconds()
            run_load(side.url, load, TOKEN)
            cost[side.name].append(side.cpu_seconds() - before)
    return {side: statistics.median(each) for side, each in cost.items()}


def _bare(store: SeaweedFS, load: Load, mode: str) -> float:
    arguments = [store.endpoint_url, store.bucket, str(load.size), str(load.uploads), mode]
    done = subprocess.run(
        [sys.executable, "-m", "bench.bare_s3", *arguments],
        env=os.environ
        | {
            "AWS_ACCESS_KEY_ID": store.access_key_id,
            "AWS_SECRET_ACCESS_KEY": store.secret_access_key,
        },
        capture_output=True,
        check=True,
        text=True,
    )
    return float(done.stdout)


def _print(name: str, load: Load, medians: dict[str, float]) -> None:
    print(f"\n{name} to the store: CPU, median of {ROUNDS}")
    for side, seconds in medians.items():
        each = f"{1000 * seconds / load.uploads:8.2f} ms each {seconds / load.gib:7.2f} s/GiB"
        ratios = (f"{seconds / medians[bare]:5.2f} x {bare}" for bare in medians if "bare" in bare)
        print(f"  {side:<16} {each}  {'  '.join(ratios)}")


if __name__ == "__main__":
    main()
