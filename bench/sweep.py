"""The cost of one pass of the sweeper, by the number of pending and of finished uploads."""

import asyncio
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet

from bench.records import stored, write
from gateway.backends import Backends, open_backends, open_store
from gateway.settings import Settings, load
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.seaweedfs import SeaweedFS
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from workers.sweep import lease as leases
from workers.sweep import sweep_once


def main() -> None:
    """Measure and print; the arguments are numbers of pending uploads."""
    steps = [int(text) for text in sys.argv[1:]] or [0, 1_000, 10_000, 100_000]
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        valkey = Valkey(Path(directory) / "valkey", free_port())
        store = SeaweedFS(Path(directory) / "s3", free_port(), "bench-key", "bench-secret")
        for server in (valkey, store):
            stack.enter_context(Part(server.command(), Path(directory)))
        environ = {
            "GATEWAY_SECRET_KEY": Fernet.generate_key().decode(),
            "GATEWAY_REDIS_URL": valkey.url,
            **store.settings(),
        }
        asyncio.run(_measure(steps, load(environ)))


async def _measure(steps: list[int], settings: Settings) -> None:
    async with open_store(settings) as store, open_backends(settings) as backends:
        await store.ensure_bucket()
        made = 0
        for pending in steps:
            await _fill(backends, pending - made)
            made = pending
            await _pass(backends, f"{pending:,} pending")


async def _fill(backends: Backends, count: int) -> None:
    """Add pending records."""
    await write(backends.store, (stored(new_id(), datetime.now(UTC)) for _ in range(count)))


async def _pass(backends: Backends, name: str) -> None:
    """Run a pass that finds nothing overdue, and one that sends as many tasks as it may."""
    written = await backends.store.put(keys.SWEEP, b"{}")
    lease = leases.Lease(backends.store, leases.Memory(holder="bench", seconds=3600.0), written)
    wall, cpu = time.perf_counter(), time.process_time()
    await sweep_once(backends, lease)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<18} {wall:7.2f} s  {cpu:6.2f} s CPU  {memory:6.1f} MiB at the most", flush=True)


if __name__ == "__main__":
    main()
