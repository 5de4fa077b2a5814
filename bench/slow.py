"""A thousand slow uploads in one process: their memory, and what other clients notice of them.

`python -m bench.slow` prints the resident bytes that each open upload adds, how long a trivial
request waits for the event loop, and how long fast uploads take meanwhile.
"""

import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import Load, around, run_load
from bench.sides import TOKEN, Bench, Side

UPLOADS = 1000
RATE = 20 * 1024
SECONDS = 20
TICK = 0.5
FAST = Load(64 * 1024**2, 2, 1)
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        for engine in ("fast", "plain"):
            side = bench.gateway(f"gateway {engine}", {"GATEWAY_ENGINE": engine})
            run_load(side.url, FAST, TOKEN)
            asyncio.run(_measure(side))


async def _measure(side: Side) -> None:
    alone = [await _fast(side) for _ in range(ROUNDS)]
    before = side.memory
    slow = [asyncio.create_task(_upload_slowly(side.url)) for _ in range(UPLOADS)]
    await asyncio.sleep(5)
    each = (side.memory - before) / UPLOADS
    waits = sorted([await _wait(side.url) for _ in range(300)])
    beside = [await _fast(side) for _ in range(ROUNDS)]
    answers = await asyncio.gather(*slow)
    assert all(b" 200 " in answer for answer in answers), answers[0]
    print(
        f"{side.name}: {each / 1024:.1f} KiB RSS each; GET /gateway/healthz median"
        f" {1000 * statistics.median(waits):.1f} ms, p99 {1000 * waits[-4]:.1f} ms;"
        f" a fast upload took {statistics.median(beside) / statistics.median(alone):.2f} x"
    )


async def _fast(side: Side) -> float:
    return await asyncio.to_thread(run_load, side.url, FAST, TOKEN)


async def _wait(url: str) -> float:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    started = time.perf_counter()
    writer.write(b"GET /gateway/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"}")
    waited = time.perf_counter() - started
    writer.close()
    await asyncio.sleep(0.01)
    return waited


async def _upload_slowly(url: str) -> bytes:
    address = urlsplit(url)
    size = RATE * SECONDS
    before, after = around(str(address.hostname), TOKEN, size)
    await asyncio.sleep(TICK * (hash(asyncio.current_task()) % 100) / 100)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(before)
    for _ in range(int(SECONDS / TICK)):
        writer.write(bytes(int(RATE * TICK)))
        await writer.drain()
        await asyncio.sleep(TICK)
    writer.write(after)
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer


if __name__ == "__main__":
    main()
