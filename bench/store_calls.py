"""CPU of the S3 calls that every upload makes: our own requests compared with aiobotocore's.

`python -m bench.store_calls` makes the same calls with each client in turn, eight at a time, to a
SeaweedFS. It prints the CPU of this process for a call, the medians over all rounds, and their
ratio.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from statistics import median

import google_crc32c

from gateway.choices import S3ClientName
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import S3Store

ROUNDS = 15
CALLS = 160
AT_A_TIME = 8

Call = Callable[[S3Store, str], Awaitable[object]]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory:
        server = SeaweedFS(Path(directory) / "s3", free_port(), "bench-key", "bench-secret")
        with Part(server.command(), Path(directory)):
            asyncio.run(_measure(server))


def _put(size: int) -> Call:
    body = os.urandom(size)
    crc32c = google_crc32c.value(body)
    return lambda store, key: store.put(key, body, crc32c=crc32c)


LINES: dict[str, Call] = {
    "PUT 100 KiB": _put(100 * 1024),
    "PUT 800 B": _put(800),
    "GET 800 B": lambda store, key: store.get(key),
    "HEAD": lambda store, key: store.head(key),
    "DELETE": lambda store, key: store.delete(key),
}
"""In an order in which each call finds the objects that it needs."""


async def _measure(server: SeaweedFS) -> None:
    spent: dict[tuple[str, S3ClientName], list[float]] = {}
    async with AsyncExitStack() as stack:
        stores = {
            name: await stack.enter_async_context(_open(server, name)) for name in S3ClientName
        }
        for store in stores.values():
            await store.ensure_bucket()
            await store.put("first", b"")
        for _ in range(ROUNDS):
            for line, call in LINES.items():
                for name, store in stores.items():
                    spent.setdefault((line, name), []).append(await _round(store, name, call))
    for line in LINES:
        own, sdk = (
            1000 * median(spent[line, name]) / CALLS
            for name in (S3ClientName.DIRECT, S3ClientName.AIOBOTOCORE)
        )
        print(f"{line:12}  direct {own:.2f} ms  aiobotocore {sdk:.2f} ms  ratio {own / sdk:.2f}")


def _open(server: SeaweedFS, name: S3ClientName) -> AbstractAsyncContextManager[S3Store]:
    return S3Store.open(
        endpoint_url=server.endpoint_url,
        bucket=server.bucket,
        region="us-east-1",
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
        client_name=name,
    )


async def _round(store: S3Store, name: S3ClientName, call: Call) -> float:
    """The CPU seconds of this process for all calls of a round."""
    left = iter(range(CALLS))

    async def caller() -> None:
        for number in left:
            await call(store, f"{name}/{number}")

    before = time.process_time()
    await asyncio.gather(*(caller() for _ in range(AT_A_TIME)))
    return time.process_time() - before


if __name__ == "__main__":
    main()
