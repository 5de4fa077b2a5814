"""The operator's page before a full bucket: the seconds of each of its requests.

`python -m bench.page [UPLOADS]` writes 100,000 uploads that began within the last thirty days. One
in a hundred waits, one in fifty failed, and all others are registered. It prints how many uploads
the gateway read for the answer, and whether older ones may match, which the next request reads.
"""

import asyncio
import json
import random
import secrets
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from cryptography.fernet import Fernet

from bench.records import stored, write
from bench.sides import Bench
from gateway.backends import open_store
from gateway.settings import load
from gateway.stack.ports import HOST, free_port
from gateway.uploads.ids import created_at, first_id_at
from gateway.uploads.lifecycle import advance
from gateway.uploads.record import Fault, State, Upload

UPLOADS = 100_000
DAYS = 30
ROUNDS = 7
ADMIN_TOKEN = "bench-admin-token"
ASKED = {
    "the state": "status",
    "the newest uploads": "uploads?state=all",
    "those that have not ended": "uploads",
    "those that failed": "uploads?state=failed",
    "a problem that no upload has": "uploads?state=all&problem=no-such-problem",
    "all that match, counted": "matches?state=failed&action=retry",
}
"""What the page asks for when it is opened, and then by some of its filters."""


def main() -> None:
    """Fill a bucket, measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else UPLOADS
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        store = bench.seaweedfs().settings()
        asyncio.run(_fill(store, count))
        port = free_port()
        settings = {
            **store,
            "GATEWAY_DELIVERY": "external",
            "GATEWAY_ADMIN_TOKEN": ADMIN_TOKEN,
            "GATEWAY_ADMIN_PORT": str(port),
        }
        bench.gateway("gateway", settings)
        print(f"{count:,} uploads")
        for name, path in ASKED.items():
            _measure(name, f"http://{HOST}:{port}/gateway/admin/{path}")


async def _fill(settings: Mapping[str, str], count: int) -> None:
    environ = {"GATEWAY_SECRET_KEY": Fernet.generate_key().decode(), **settings}
    async with open_store(load(environ)) as store:
        await store.ensure_bucket()
        await write(store, map(_upload, range(count)))


def _upload(number: int) -> Upload:
    """One of them; its age is random."""
    began_at = time.time() - random.uniform(0, DAYS * 86_400)
    tail = secrets.randbits(62)
    upload_id = str(UUID(int=UUID(first_id_at(began_at)).int | tail))
    began = datetime.fromtimestamp(created_at(upload_id), UTC)
    upload = stored(upload_id, began, f"user-{number % 1000}")
    if number % 100 == 0:
        return upload
    inspected = advance(upload, State.INSPECTED, began)
    if number % 50 == 1:
        return advance(inspected, State.FAILED, began, Fault("registration-failed", "refused"))
    return advance(inspected, State.REGISTERED, began)


def _measure(name: str, url: str) -> None:
    answers = [_ask(url) for _ in range(ROUNDS)]
    seconds = [taken for taken, _ in answers]
    document = answers[0][1]
    read = f", {document['read']} read" if "read" in document else ""
    more = ", and there is more" if document.get("before") is not None else ""
    median, most = statistics.median(seconds), max(seconds)
    print(f"{name:<28} {median:6.3f} s, at most {most:6.3f} s{read}{more}")


def _ask(url: str) -> tuple[float, dict[str, object]]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        document = json.loads(answer.read())
    return time.perf_counter() - started, document


if __name__ == "__main__":
    main()
