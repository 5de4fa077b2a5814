"""By the real clock: each process is frozen for a minute, and the store for half a minute.

All of it at once, so that it takes little longer than the longest. Whatever was acknowledged is
registered, once; nothing else is registered twice, and nothing is left over.
"""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

import pytest

from gateway.errors import PreconditionFailed, StoreUnavailable
from gateway.records.bucket import OVERDUE
from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads import keys
from gateway.uploads.record import State
from tests.crashes.conftest import PATH, Stage, stopped
from tests.flows import files
from tests.flows.client import PATIENCE, Answer, Client
from tests.servers.aged_store import sweep_later
from tests.servers.databases import Databases
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS
from tests.servers.store_proxy import Fault, FaultProxy
from workers.due import Due
from workers.runtime import WorkerServices
from workers.sniff import Sniffer
from workers.steps.resumption import resume

pytestmark = pytest.mark.timeout(400)

STANDSTILL = 60.0
SETTLED = 150.0
DELAY = 31.0
"""A little longer than the time-out of a request to the store."""

LARGE = files.PNG.ljust(200_000, b"\0")
"""More than a worker reads at once."""

IN_PARTS = files.PNG.ljust(9_000_000, b"\0")
SUCCESS = range(200, 300)


@dataclass
class Row:
    """A row of docs/durability.md: which process is suspended, and where."""

    point: str
    by: str = "gateway"
    keyed: bool = False
    data: bytes = files.PNG
    delivery: str = "external"
    key: str = field(default_factory=lambda: str(uuid4()))


STILL = [
    Row("fence.placed", "repetition", keyed=True),
    Row("fence.recorded", "repetition", keyed=True),
    Row("claim.taken", keyed=True),
    Row("external.stored"),
    Row("external.stored", data=IN_PARTS),
    Row("external.stored", keyed=True),
    Row("accept.written"),
    Row("accept.written", keyed=True),
    Row("external.offered"),
    Row("external.accepted"),
    Row("inspect.passed", "worker"),
    Row("offer.taken", "worker"),
    Row("verdict.kept", "worker", data=files.EXE),
    Row("verdict.file-removed", "worker", data=files.EXE),
    Row("register.claimed", "worker"),
    Row("register.acted", "worker"),
    Row("end.recorded", "worker"),
    Row("relay.begun", keyed=True, delivery="relay"),
    Row("relay.answered", keyed=True, delivery="relay"),
    Row("relay.kept", keyed=True, delivery="relay"),
]

BY_GATEWAY = [
    (rb"^PUT \S+/incoming/\S+ ", files.PNG),
    (rb"^PUT \S+/pending/", files.PNG),
    (rb"^POST \S+/incoming/\S+uploads", IN_PARTS),
    (rb"^PUT \S+/incoming/\S+partNumber=", IN_PARTS),
    (rb"^POST \S+/incoming/\S+uploadId=", IN_PARTS),
    (rb"^GET \S+/records/", IN_PARTS),
]
BY_WORKER = [
    (rb"^GET \S+/pending/", files.PNG),
    (rb"^HEAD \S+/incoming/", LARGE),
    (rb"^GET \S+/incoming/", files.PNG),
    (rb"^PUT \S+/pending/", files.PNG),
    (rb"^PUT \S+/records/", files.PNG),
    (rb"^DELETE \S+/pending/", files.PNG),
]


@dataclass
class Case:
    """One upload, and which process continues after its minute."""

    stage: Stage
    row: Row
    sending: asyncio.Task[Answer | None]
    frozen: int | None = None


@pytest.fixture
def brokers(databases: Databases) -> Iterator[Iterator[str]]:
    """Databases of Redis, so that no worker receives tasks for another one's upload."""
    count = sum(row.by == "worker" for row in STILL)
    with ExitStack() as stack:
        yield iter([stack.enter_context(databases.lend()) for _ in range(count)])


@asynccontextmanager
async def sweeping(stage: Stage) -> AsyncIterator[None]:
    """What workers and sweepers do during that time, by the store's own clock."""
    over = asyncio.Event()

    async def go_on() -> None:
        async with Sniffer.open() as sniffer:
            services = WorkerServices(
                stage.backends, sniffer, Due(stage.backends.redis, stage.backends.queue)
            )
            while not over.is_set():
                async for pending in stage.backends.ledger.list_pending():
                    if pending.age >= OVERDUE:
                        with suppress(PreconditionFailed, StoreUnavailable):
                            await resume(pending.upload_id, services)
                await sweep_later(stage.backends, 0.0)
                await asyncio.sleep(2)

    sweeper = asyncio.create_task(go_on())
    try:
        yield
        assert not sweeper.done()
    finally:
        over.set()
        await sweeper


async def begin(stage: Stage, row: Row, brokers: Iterator[str]) -> Case:
    """Bring the upload to the point at which its process is suspended."""
    stage = replace(stage, name=f"{uuid4()}.png", environ=dict(stage.environ))
    stage.environ["GATEWAY_DELIVERY"] = row.delivery
    if row.by == "worker":
        stage.environ["GATEWAY_BROKER_URL"] = next(brokers)
    key = row.key if row.keyed else None
    if row.by == "repetition":
        await stage.upload(stage.gateway("external.stored"), key)
        await stage.forget_presence()
        await stage.lose_copies()  # otherwise the repetition continues with the file
    if row.by == "worker":
        return await _begin_with_worker(stage, row, key)
    gateway = stage.gateway(stop_at=row.point)
    sending = asyncio.create_task(stage.upload(gateway, key, data=row.data))
    await stopped(gateway.pid)
    return Case(stage, row, sending, gateway.pid)


async def _begin_with_worker(stage: Stage, row: Row, key: str | None) -> Case:
    # A gateway does not wait long for an offer to be taken: not while a worker starts.
    waits = row.point == "offer.taken"
    gateway = stage.gateway(stop_at="external.offered" if waits else "")
    sending = asyncio.create_task(stage.upload(gateway, key, data=row.data))
    worker = stage.worker(stop_at=row.point)
    await stopped(worker.pid)
    if waits:
        await stopped(gateway.pid)
        os.kill(gateway.pid, signal.SIGCONT)
    return Case(stage, row, sending, worker.pid)


async def settled(stage: Stage) -> None:
    async with asyncio.timeout(SETTLED):
        while await stage.left(keys.PENDING) or await stage.open_multiparts():
            await asyncio.sleep(1)


async def check(case: Case, answer: Answer | None) -> None:
    """Assert that ChatKitty has what the client's answer said."""
    told = (case.row, answer.status if answer else None, answer.body if answer else b"")
    made = len(await case.stage.messages())
    if case.row.data == files.EXE:
        assert made == 0, told
    elif answer is not None and answer.status in SUCCESS:
        assert made == 1, told
    else:
        assert made <= 1, told


async def check_bucket(stage: Stage) -> None:
    """Assert that files exist for registered uploads only."""
    for upload_id in await stage.left(keys.RECORDS):
        upload = await stage.backends.ledger.find(upload_id)
        if upload.files and upload.url is not None:
            registered = upload.state is State.REGISTERED
            assert (upload_id in await stage.left(keys.INCOMING)) is registered, upload


async def begin_delayed(stage: Stage, gateway: FaultProxy, worker: FaultProxy) -> list[Case]:
    """Send an upload for each kind of request that the store delays, before it acts or answers."""
    stage = replace(stage, environ=stage.environ | {"GATEWAY_DELIVERY": "external"})
    url = stage.gateway(store=gateway.url).url
    behind = replace(stage, environ=stage.environ | {"GATEWAY_S3_ENDPOINT_URL": worker.url})
    behind.worker()
    delays = [(gateway, pattern, data) for pattern, data in BY_GATEWAY]
    delays += [(worker, pattern, data) for pattern, data in BY_WORKER]
    cases: list[Case] = []
    for (proxy, pattern, data), fault in itertools.product(delays, (Fault.WAIT, Fault.LATE)):
        own = replace(stage, name=f"{uuid4()}.png")
        rule = proxy.fail(pattern, fault, times=1)
        sending = asyncio.create_task(_upload_async(own, url, data))
        async with asyncio.timeout(PATIENCE):
            await rule.met.wait()
        asyncio.get_running_loop().call_later(DELAY, rule.lifted.set)
        cases.append(Case(own, Row(f"{fault} {pattern!r}"), sending))
    return cases


async def _upload_async(stage: Stage, url: str, data: bytes) -> Answer:
    async with Client.open(url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        return await client.upload(PATH, data, name=stage.name, headers=headers)


async def repeat(cases: list[Case]) -> None:
    """Send the requests with a key once more: each gets its upload, or its key is free."""
    gateways: dict[str, Gateway] = {}
    for case in cases:
        if case.row.delivery not in gateways:
            gateways[case.row.delivery] = case.stage.gateway()
    repeated = await asyncio.gather(
        *(
            case.stage.upload(gateways[case.row.delivery], case.row.key, data=case.row.data)
            for case in cases
        )
    )
    await settled(cases[0].stage)
    for case, answer in zip(cases, repeated, strict=True):
        assert answer is not None
        assert answer.status in {200, 202, 409}, answer.body
        await check(case, answer)


async def test_suspended_processes_lose_and_duplicate_nothing(
    stage: Stage, brokers: Iterator[str], seaweedfs: SeaweedFS
) -> None:
    async with (
        FaultProxy.start(seaweedfs.endpoint_url) as gateway,
        FaultProxy.start(seaweedfs.endpoint_url) as worker,
    ):
        cases = [await begin(stage, row, brokers) for row in STILL]
        delayed = await begin_delayed(stage, gateway, worker)
        async with sweeping(stage):
            await asyncio.sleep(STANDSTILL)
            for case in cases:
                if case.frozen is not None:
                    os.kill(case.frozen, signal.SIGCONT)
            told = [(case, await case.sending) for case in [*cases, *delayed]]
            await settled(stage)
            for case, answer in told:
                await check(case, answer)
            await repeat([case for case in cases if case.row.keyed])
    await check_bucket(stage)
