"""Slow clients next to honest ones: who is harmed, what they hold, and when they are cut off.

`python -m bench.loris [CONNECTIONS]` opens 1,200 connections (or CONNECTIONS) to each engine, in
four equal kinds: heads that come byte by byte; the largest heads, of which the last bytes come like
that; bodies that do; and clients that send requests and never read. Meanwhile honest uploads
continue, which are counted and timed before and during that. It exits with 1 if their p99 more than
doubles.
"""

import asyncio
import multiprocessing
import select
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.load import around, p99
from bench.sides import TOKEN, Bench, Side

CONNECTIONS = 1200
GRACE = 6.0
SETTINGS = {
    "GATEWAY_HEAD_TIMEOUT": str(GRACE),
    "GATEWAY_IDLE_TIMEOUT": str(GRACE),
    "GATEWAY_ANSWER_TIMEOUT": str(GRACE),
    "GATEWAY_BODY_RATE_PERIOD": str(GRACE),
    "GATEWAY_LOG_LEVEL": "warning",
}
"""The default limits, with shorter times."""

OPENING = 3.0
"""Seconds in which the slow clients connect."""

ALONE = 10.0
LARGEST_RATIO = 2.0

SIZE = 100 * 1024
CLIENTS = 4
TICK = 1.0
_LOOK = b"GET /gateway/healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_MIB = 1024**2


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CONNECTIONS
    good = True
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        for engine in ("fast", "plain"):
            side = bench.gateway(f"gateway {engine}", {"GATEWAY_ENGINE": engine, **SETTINGS})
            good &= asyncio.run(_measure(side, count))
    sys.exit(0 if good else 1)


async def _measure(side: Side, count: int) -> bool:
    await _honest(side.url, asyncio.create_task(asyncio.sleep(1)))  # fills caches and pools
    alone = await _honest(side.url, asyncio.create_task(asyncio.sleep(ALONE)))
    before = side.memory
    # A separate process: the honest clients must not wait for the work of this one.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        slow = asyncio.wrap_future(pool.submit(_be_slow, side.url, count))
        largest = asyncio.create_task(_largest(side, slow))
        beside = await _honest(side.url, slow)
        held = await largest - before
        lasted = await slow
    print(f"{side.name}: {count} slow connections, {held / _MIB:.1f} MiB more at most")
    for kind, seconds in lasted.items():
        print(f"  {kind}: the last gone {seconds:.1f} s after it came (grace {GRACE} s)")
    for name, taken in (("alone", alone), ("beside them", beside)):
        print(
            f"  honest uploads {name}: {len(taken)}, all answered 200, median"
            f" {1000 * statistics.median(taken):.1f} ms, p99 {1000 * p99(taken):.1f} ms"
        )
    ratio = p99(beside) / p99(alone)
    print(f"  p99 {ratio:.2f} x")
    return ratio <= LARGEST_RATIO


def _be_slow(url: str, count: int) -> dict[str, float]:
    return asyncio.run(_all_slow(url, count))


async def _largest(side: Side, until: asyncio.Future[dict[str, float]]) -> int:
    largest = 0
    while not until.done():
        largest = max(largest, side.memory)
        await asyncio.sleep(0.1)
    return largest


async def _honest(url: str, until: asyncio.Future[Any]) -> list[float]:
    """The seconds that each upload took. Raises AssertionError for any answer but 200."""
    taken: list[float] = []
    await asyncio.gather(*(_upload_while(url, until, taken) for _ in range(CLIENTS)))
    return taken


async def _upload_while(url: str, until: asyncio.Future[Any], taken: list[float]) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    while not until.done():
        before, after = around(str(address.hostname), TOKEN, SIZE)
        started = time.perf_counter()
        writer.write(before + bytes(SIZE) + after)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(0.02)
    writer.close()


async def _all_slow(url: str, count: int) -> dict[str, float]:
    """By kind, the longest time that the gateway kept a slow client; they connect one by one."""
    kinds = {"heads": _head, "large heads": _large_head, "bodies": _body, "deaf ones": _deaf}
    lasted = dict.fromkeys(kinds, 0.0)

    async def last(kind: str, talk: Awaitable[None]) -> None:
        began = time.perf_counter()
        await talk
        lasted[kind] = max(lasted[kind], time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for at in range(count):
            kind = list(kinds)[at % len(kinds)]
            group.create_task(last(kind, kinds[kind](url)))
            await asyncio.sleep(OPENING / count)
    return lasted


async def _head(url: str) -> None:
    await _dribble(url, _LOOK[:-2])


async def _large_head(url: str) -> None:
    lines = b"".join(b"X-%d: %b\r\n" % (at, b"x" * 7900) for at in range(4))
    await _dribble(url, _LOOK[:-2] + lines)


async def _body(url: str) -> None:
    before, _ = around(str(urlsplit(url).hostname), TOKEN, SIZE)
    await _dribble(url, before)


async def _dribble(url: str, opening: bytes) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(opening)
    with suppress(ConnectionError):
        while not reader.at_eof():
            writer.write(b"x")
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await reader.read(65_536)
    writer.close()


async def _deaf(url: str) -> None:
    """Send a request, and read nothing; the close is visible without reading."""
    address = urlsplit(url)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(0)
        await asyncio.get_running_loop().sock_connect(deaf, (address.hostname, address.port))
        await asyncio.get_running_loop().sock_sendall(deaf, 20 * _LOOK)
        ended = select.poll()
        ended.register(deaf, select.POLLRDHUP)
        while not ended.poll(0):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(TICK)


if __name__ == "__main__":
    main()
