"""A gateway and a worker that die at a given point, and others that resume the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from gateway.backends import Backends
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Upload
from tests.flows import files
from tests.flows.client import PATIENCE, Answer, Client
from tests.servers.aged_store import later, open_aged_backends, sweep_later
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox
from tests.servers.zygote import ForkedPart
from workers.due import Due
from workers.runtime import WorkerServices
from workers.sniff import Sniffer
from workers.steps.resumption import resume

PATH = f"/v1/channels/{CHANNEL}/messages"
LATER = 3600.0


@dataclass
class Stage:
    """The stage of a crash test: processes of its own, and servers that all tests share."""

    environ: dict[str, str]
    directory: Path
    backends: Backends
    sandbox: Sandbox
    stack: ExitStack
    name: str = field(default_factory=lambda: f"{uuid4()}.png")

    def gateway(self, crash_at: str = "", stop_at: str = "", store: str | None = None) -> Gateway:
        """A gateway; it uses the store at the URL `store`, if there is one."""
        environ = {**self.environ, "CRASH_AT": crash_at, "STOP_AT": stop_at}
        if store is not None:
            environ["GATEWAY_S3_ENDPOINT_URL"] = store
        return self.stack.enter_context(Gateway.start(environ, self.directory))

    def worker(self, crash_at: str = "", stop_at: str = "") -> ForkedPart:
        environ = {**self.environ, "CRASH_AT": crash_at, "STOP_AT": stop_at}
        return self.stack.enter_context(start_worker(environ, self.directory))

    async def upload(self, gateway: Gateway, key: str | None = None, **more: Any) -> Answer | None:
        """The answer to an upload of the test's file; None if the connection was cut."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            with suppress(aiohttp.ClientError):
                return await client.upload(
                    PATH, more.get("data", files.PNG), name=self.name, headers=headers
                )
        return None

    async def messages(self) -> list[dict[str, Any]]:
        """What ChatKitty has of the test's file."""
        found = await self.sandbox.messages()
        return [message for message in found if message.get("file", {}).get("name") == self.name]

    async def ours(self) -> Upload | None:
        """The upload of the test's file, wherever it is in the bucket."""
        for prefix in (keys.PENDING, keys.RECORDS):
            async for info in self.backends.store.list(prefix):
                upload = await self.backends.ledger.find(keys.id_of(info.key))
                if any(file.name == self.name for file in upload.files):
                    return upload
        return None

    async def take_up(self) -> None:
        """What sweepers and workers do later, when everything is old enough."""
        with later(self.backends, LATER):
            async with Sniffer.open() as sniffer:
                services = WorkerServices(
                    self.backends, sniffer, Due(self.backends.redis, self.backends.queue)
                )
                async for pending in self.backends.ledger.list_pending():
                    await resume(pending.upload_id, services)
        await sweep_later(self.backends, LATER)  # marks what has no record
        await sweep_later(self.backends, LATER)  # and abandons it, after its retention

    async def lose_copies(self) -> None:
        """As if a gateway without copies of records had stored the files."""
        for upload_id in await self.left(keys.INCOMING):
            await self.backends.store.put(keys.incoming(upload_id), files.PNG)

    async def send_pending(self) -> None:
        """What a sweeper does with overdue records."""
        async for pending in self.backends.ledger.list_pending():
            self.backends.queue.send(Step.RESUME, pending.upload_id)

    async def tasks_that_wait(self) -> int:
        return await asyncio.to_thread(self.backends.queue.depth)

    async def wait_for_tasks(self, count: int) -> None:
        """Wait until at least that many tasks wait for a worker."""
        async with asyncio.timeout(PATIENCE):
            while await self.tasks_that_wait() < count:
                await asyncio.sleep(0.02)

    async def end_of_steps(self, upload_id: str) -> None:
        """Wait until no worker is processing the upload."""
        async with asyncio.timeout(PATIENCE):
            while await self.backends.redis.exists(keys.tries(upload_id)):
                await asyncio.sleep(0.02)

    async def forget_presence(self) -> None:
        """As if the marks of processes that died had expired."""
        redis = self.backends.redis
        async for key in redis.scan_iter(match=keys.presence("*")):
            await redis.delete(key)
        seconds, _ = await redis.time()
        await redis.set(keys.PRESENT_SINCE, seconds - 3600)

    def command(self, *arguments: str, crash_at: str) -> ForkedPart:
        """An operator's command line."""
        environ = {**self.environ, "CRASH_AT": crash_at}
        log = self.directory / "command.log"
        return ForkedPart(["gateway.cli", *arguments], environ, log, lambda: True)

    async def open_multiparts(self) -> list[str]:
        found = self.backends.store.list_multipart_uploads(keys.INCOMING)
        return [upload.key async for upload in found]

    async def left(self, prefix: str) -> list[str]:
        return [keys.id_of(info.key) async for info in self.backends.store.list(prefix)]


@pytest.fixture
def lonely_environ(environ: dict[str, str], own_redis_url: str) -> dict[str, str]:
    """Settings of a stack with a broker and a bucket that no other stack uses."""
    bucket = f"crash-{uuid4()}"
    return {
        **environ,
        "GATEWAY_BROKER_URL": own_redis_url,
        "GATEWAY_REDIS_URL": own_redis_url,
        "GATEWAY_S3_BUCKET": bucket,
    }


@pytest.fixture
async def stage(
    lonely_environ: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> AsyncIterator[Stage]:
    async with open_aged_backends(lonely_environ) as backends:
        with ExitStack() as stack:
            yield Stage(lonely_environ, tmp_path, backends, sandbox, stack)


async def stopped(pid: int) -> None:
    """Wait until a process is suspended."""
    async with asyncio.timeout(PATIENCE):
        while _state(pid) != "T":
            await asyncio.sleep(0.01)


async def died(pid: int) -> None:
    """Wait for the end of a process that kills itself, whether or not its status was read."""
    async with asyncio.timeout(PATIENCE):
        while _state(pid) != "Z":
            await asyncio.sleep(0.01)


def _state(pid: int) -> str:
    """The kernel's letter for its state; Z also if the process no longer exists."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return "Z"
    return stat.rpartition(")")[2].split()[0]
