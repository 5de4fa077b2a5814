"""What a gateway and its workers report to Prometheus."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from gateway.backends import open_backends
from gateway.queue import QUEUES
from gateway.records import backlog_snapshot
from gateway.settings import load
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port, free_ports
from gateway.stack.probes import answers
from tests.flows import files, raw
from tests.flows.client import Client
from tests.flows.resuming import begin, offset_of, patch
from tests.servers.aged_store import open_aged_backends, own_lease
from tests.servers.gateway import Gateway, start_worker
from tests.servers.metrics import Scrape, scrape, until
from tests.servers.sandbox import CHANNEL, TOKENS
from tests.test_metrics_page import documented
from workers.sweep import sweep_once

pytestmark = pytest.mark.slow

MESSAGES = f"/v1/channels/{CHANNEL}/messages"
ROUTE = "channel-message"


@pytest.fixture(params=["relay_gateway", "plain_relay_gateway"])
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """A gateway that relays, by either engine."""
    found: Gateway = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with Client.open(gateway.url, TOKENS["alice"]) as opened:
        yield opened


@pytest.mark.usefixtures("sandbox")
async def test_a_relay_is_counted_by_route_delivery_and_outcome(
    gateway: Gateway, client: Client
) -> None:
    await client.upload(MESSAGES, files.PNG)  # the token is known from here on
    before = await scrape(gateway.admin_url)
    raw_body = raw.form(files.PNG)
    length = f"Content-Length: {len(raw_body)}"
    bearer = f"Authorization: Bearer {client.token}"
    answer = await raw.exchange(
        gateway.url, raw.head(MESSAGES, bearer, raw.FORM_TYPE, length) + raw_body, until=b'"id"'
    )
    assert answer.status == 200
    # In one piece, too: ChatKitty cannot refuse it before it has its whole body.
    unknown = raw.head("/v1/channels/999999/messages", bearer, raw.FORM_TYPE, length)
    refused = await raw.exchange(gateway.url, unknown + raw_body, until=b"}")
    assert refused.status == 404
    await raw.abandon(
        gateway.url, [raw.head(MESSAGES, bearer, raw.FORM_TYPE, length) + raw_body[:50]]
    )

    def grown(after: Scrape, metric: str, **labels: str) -> float:
        return after.value(metric, **labels) - before.value(metric, **labels)

    relayed = {"route": ROUTE, "delivery": "relay"}
    after = await until(
        gateway.admin_url, lambda it: grown(it, "uploads_total", outcome="aborted", **relayed) == 1
    )
    assert grown(after, "uploads_total", outcome="taken", **relayed) == 1
    assert grown(after, "uploads_total", outcome="refused", **relayed) == 1
    assert grown(after, "requests_total", status="2xx", **relayed) == 1
    assert grown(after, "requests_total", status="aborted", **relayed) == 1
    assert grown(after, "received_bytes_total", **relayed) >= len(raw_body)
    assert grown(after, "sent_bytes_total", **relayed) > 100
    assert grown(after, "request_seconds_count", delivery="relay") == 3
    for phase in ("body", "upstream"):
        assert grown(after, "phase_seconds_count", delivery="relay", phase=phase) == 2
    assert after.value("open_uploads", delivery="relay") == 0


async def test_a_hosted_upload_is_measured_in_its_phases(
    external: Client, external_gateway: Gateway
) -> None:
    before = await scrape(external_gateway.admin_url)
    answer = await external.upload(MESSAGES, files.PNG)
    await external.upload(MESSAGES, b"")
    await external.request("GET", answer.json()["file"]["url"], allow_redirects=False)
    await external.request("GET", f"/gateway/uploads/{answer.upload_id}")
    await external.request("GET", "/v1/channels")
    after = await scrape(external_gateway.admin_url)

    def grown(metric: str, **labels: str) -> float:
        return after.value(metric, **labels) - before.value(metric, **labels)

    for phase in ("body", "store", "wait"):
        assert grown("phase_seconds_count", delivery="external", phase=phase) == 1, phase
    assert grown("phase_seconds_count", delivery="external", phase="auth") == 2
    assert grown("problems_total", problem="empty-file") == 1
    assert grown("requests_total", route="/gateway/files/{token}/{name}", status="3xx") == 1
    assert grown("requests_total", route="/gateway/uploads/{id}", status="2xx") == 1
    assert grown("requests_total", route="passed-on", delivery="none", status="2xx") == 1


async def test_open_uploads_and_used_memory_are_reported(
    external_gateway: Gateway,
) -> None:
    _, writer = await asyncio.open_connection(HOST, external_gateway.port)
    bearer = f"Authorization: Bearer {TOKENS['alice']}"
    head = raw.head(MESSAGES, bearer, raw.FORM_TYPE, "Content-Length: 1000000")
    writer.write(head + raw.form(files.PNG)[:50])
    found = await until(
        external_gateway.admin_url, lambda it: it.value("upload_memory_used_bytes") > 0
    )
    assert found.value("open_uploads", delivery="external") == 1
    assert found.value("upload_memory_bytes") == 128 * 1024**2
    writer.close()
    await until(
        external_gateway.admin_url,
        lambda it: it.value("open_uploads") == it.value("upload_memory_used_bytes") == 0,
    )


async def test_labels_stay_few_whatever_clients_ask_for(
    external: Client, external_gateway: Gateway
) -> None:
    for number in range(20):
        for path in (f"/v1/channels/{number}/messages", f"/nothing/{number}", f"/gateway/{number}"):
            await external.upload(path, files.PNG)
            await external.request("GET", path)
    found = await scrape(external_gateway.admin_url)
    routes = {
        sample.labels["route"]
        for family in found.families.values()
        for sample in family.samples
        if "route" in sample.labels
    }
    assert len(routes) < 15
    assert not any("/nothing/" in route or route == "/gateway/1" for route in routes)


# --- many processes ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def four(
    environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, int]]:
    """Four processes behind one port: its URL, that of the operators, and their parent."""
    port, admin_port = free_ports(2)
    own = {
        "GATEWAY_PORT": str(port),
        "GATEWAY_ADMIN_PORT": str(admin_port),
        "GATEWAY_DELIVERY": "relay",
    }
    url = f"http://{HOST}:{port}"
    command = Command(
        "four",
        [sys.executable, "-m", "gateway.cli", "serve", "--processes", "4"],
        lambda: answers(f"{url}/gateway/healthz"),
        {**environ, **own},
        patience=120,
        grace=40,
    )
    with Part(command, tmp_path_factory.mktemp("four")) as part:
        yield url, f"http://{HOST}:{admin_port}", part.pid


async def _take_24(four: tuple[str, str, int]) -> float:
    """Send them uploads; returns how many they have accepted in all."""
    url, admin_url, _ = four
    start = await until(admin_url, lambda it: it.value("processes") == 4)
    taken = start.value("uploads_total", outcome="taken") + 24
    for _ in range(24):  # each over a connection of its own, and so to any of them
        async with Client.open(url, TOKENS["alice"]) as client:
            assert (await client.upload(MESSAGES, files.PNG)).status == 200
    await until(admin_url, lambda it: it.value("uploads_total", outcome="taken") == taken)
    return taken


@pytest.mark.slow
async def test_any_of_four_processes_reports_the_sum_of_all(
    four: tuple[str, str, int],
) -> None:
    taken = await _take_24(four)
    for _ in range(8):
        assert (await scrape(four[1])).value("uploads_total", outcome="taken") == taken


@pytest.mark.slow
async def test_no_count_falls_when_one_of_them_is_killed(four: tuple[str, str, int]) -> None:
    _, admin_url, parent = four
    taken = await _take_24(four)
    first = {child.pid for child in psutil.Process(parent).children()}
    psutil.Process(min(first)).kill()
    successor_serves = False
    async with asyncio.timeout(60):
        while not successor_serves:
            with suppress(aiohttp.ClientError):  # of the one that was killed
                found = await scrape(admin_url)
                assert found.value("uploads_total", outcome="taken") == taken
                alive = {child.pid for child in psutil.Process(parent).children()}
                successor_serves = found.value("processes") == 4 and not alive <= first
            await asyncio.sleep(0.05)


# --- workers and sweeper -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "processes"), [("threads", 1), ("processes", 3)])
async def test_a_worker_reports_its_steps_whatever_its_pool(
    environ: dict[str, str], external_gateway: Gateway, tmp_path: Path, pool: str, processes: int
) -> None:
    port = free_port()
    settings = {**environ, "GATEWAY_WORKER_METRICS_PORT": str(port)}
    arguments = ["--pool", pool, "--concurrency", "2"]
    url = f"http://{HOST}:{port}"
    async with Client.open(external_gateway.url, TOKENS["alice"]) as client:
        with start_worker(settings, tmp_path, *arguments):
            start = await scrape(url)
            assert start.value("upload_ends_total", state="registered") == 0
            for _ in range(4):
                assert (await client.upload(MESSAGES, files.PNG)).status == 200
            # Other workers of this test run may process some; a child reports its counts late.
            found = await until(
                url,
                lambda it: (
                    it.value("steps_total", outcome="done") > 0
                    and it.value("processes") == processes
                    and it.value("registration_attempts_total", outcome="registered")
                    == it.value("upload_ends_total", delivery="external", state="registered")
                ),
            )
    ended = found.value("upload_ends_total", delivery="external", state="registered")
    assert 0 <= ended <= found.value("steps_total", outcome="done")


async def test_an_upload_in_several_requests_counts_once(external_gateway: Gateway) -> None:
    async with Client.open(external_gateway.url, TOKENS["alice"]) as client:
        before = await scrape(external_gateway.admin_url)
        url = (await begin(client)).headers["Location"]
        assert (await patch(client, url, 0, files.PNG[:20], last=False)).status == 204
        assert await offset_of(client, url) == 20
        assert (await patch(client, url, 20, files.PNG[20:], last=True)).status in {200, 202}
    resumed = before.value("resumed_total", dialect="draft-8")
    saved = before.value("bytes_not_resent_total", dialect="draft-8")
    uploads = before.value("uploads_total", outcome="taken")
    found = await until(
        external_gateway.admin_url,
        lambda it: it.value("uploads_total", outcome="taken") > uploads,
    )
    assert found.value("uploads_total", outcome="taken") == uploads + 1
    assert found.value("resumed_total", dialect="draft-8") == resumed + 1
    assert found.value("bytes_not_resent_total", dialect="draft-8") == saved + 20


async def test_the_sweeper_reports_how_much_waits_and_since_when(
    environ: dict[str, str], external_gateway: Gateway
) -> None:
    async with open_backends(load(environ)) as backends:
        seen = backlog_snapshot.BacklogSnapshot(
            at=time.time() + 3600, pending=3, oldest=77.0, queued={QUEUES[0]: 5}, sessions=9
        )
        await backlog_snapshot.keep(backends.redis, seen)
        found = await until(
            external_gateway.admin_url, lambda it: it.value("oldest_pending_seconds") == 77
        )
        assert found.value("pending_uploads") == 3
        assert found.value("open_sessions") == 9
        assert found.value("queue_depth", queue=QUEUES[0]) == 5
        await backends.redis.delete("sweep:findings")
    async with open_aged_backends(environ) as aged:
        await sweep_once(aged, await own_lease(aged))
        seen_by_sweeper = await backlog_snapshot.look(aged.redis)
        assert seen_by_sweeper is not None
        assert abs(seen_by_sweeper.at - time.time()) < 60


async def test_scraped_metrics_are_those_that_are_documented(relay_gateway: Gateway) -> None:
    found = await scrape(relay_gateway.admin_url)
    names = {
        name + ("_total" if family.type == "counter" else "")
        for name, family in found.families.items()
    }
    assert names == set(documented())
