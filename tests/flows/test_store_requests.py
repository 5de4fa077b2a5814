"""What an upload costs at the store, which is paid for by the request."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads.keys import OUTBOX, PENDING, RECORDS, tries
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.flows.resuming import create, tus_patch
from tests.servers.gateway import Gateway, start_worker
from tests.servers.receiver import SECRET, receiving
from tests.servers.sandbox import CHANNEL, TOKENS
from tests.servers.store_proxy import FaultProxy

pytestmark = pytest.mark.slow

DECISION = Path(__file__).parents[2] / "docs/decisions/0006-requests-to-the-store.md"
PRICES = {"PUT": 5.0, "POST": 5.0, "GET": 0.4, "HEAD": 0.4, "DELETE": 0.0}
"""AWS's list prices in us-east-1, in USD for a million of them."""

ASYNC = {"Prefer": "respond-async"}


@dataclass(frozen=True)
class Case:
    """A row of the decision's table, and what it costs by each kind of request."""

    name: str
    requests: Mapping[str, int]
    size: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    def row(self) -> str:
        """The row as the decision has it."""

        def count(*methods: str) -> int:
            return sum(self.requests.get(method, 0) for method in methods)

        price = sum(PRICES[method] * number for method, number in self.requests.items())
        written, read = count("PUT", "POST"), count("GET", "HEAD")
        return f"| {self.name} | {written} | {read} | {count('DELETE')} | {price:.2f} |"


HOSTED = [
    # file, record with claim, end; read: file, whether the upload has ended
    Case("hosted, up to 128 KiB", {"PUT": 3, "GET": 2, "DELETE": 1}, 100_000),
    # read: checksum, first and last bytes, whether the upload has ended
    Case("hosted, up to 8 MiB", {"PUT": 3, "GET": 3, "HEAD": 1, "DELETE": 1}, 1_000_000),
    # file, record, claim, end; read: record, file
    Case(
        "hosted, up to 128 KiB, `Prefer: respond-async`",
        {"PUT": 4, "GET": 2, "DELETE": 1},
        100_000,
        ASYNC,
    ),
    # three parts in place of one file, begun and completed; its first and last bytes; and
    # whether a sweeper treated it as an orphan; and a copy of its record
    Case(
        "hosted, 20 MB in three parts",
        {"PUT": 7, "POST": 2, "GET": 5, "HEAD": 1, "DELETE": 1},
        20_000_000,
    ),
]
RELAYED = Case("relayed", {"PUT": 1})

OF_A_MESSAGE = {"PUT": 1, "GET": 2, "DELETE": 1}
"""What docs/webhooks.md says that a message costs."""


@pytest.mark.parametrize("case", [*HOSTED, RELAYED], ids=lambda case: case.name)
def test_the_decision_lists_the_requests_of_each_kind(case: Case) -> None:
    assert case.row() in DECISION.read_text()


@pytest.mark.usefixtures("sandbox_server")
@pytest.mark.parametrize("case", HOSTED, ids=lambda case: case.name)
async def test_an_upload_costs_the_listed_requests(
    case: Case,
    environ: dict[str, str],
    seaweedfs: SeaweedFS,
    own_redis_url: str,
    tmp_path: Path,
) -> None:
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        settings = environ | {
            "GATEWAY_DELIVERY": "external",
            "GATEWAY_S3_ENDPOINT_URL": proxy.url,
            "GATEWAY_BROKER_URL": own_redis_url,  # no other worker's
        }
        with start_worker(settings, tmp_path), Gateway.start(settings, tmp_path) as gateway:
            async with (
                Client.open(gateway.url, TOKENS["alice"]) as client,
                asyncio.timeout(4 * PATIENCE),
            ):
                # A worker that has just started, or has no processor, may be too late for an offer.
                while await _asked_for(case, client, proxy) != case.requests:
                    pass


@pytest.mark.usefixtures("sandbox_server")
async def test_requests_of_a_message_to_a_webhook(
    environ: dict[str, str], seaweedfs: SeaweedFS, own_redis_url: str, tmp_path: Path
) -> None:
    case = HOSTED[0]
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy, receiving() as receiver:
        settings = environ | {
            "GATEWAY_DELIVERY": "external",
            "GATEWAY_S3_ENDPOINT_URL": proxy.url,
            "GATEWAY_BROKER_URL": own_redis_url,
            "GATEWAY_WEBHOOK_URL": receiver.url,
            "GATEWAY_WEBHOOK_SECRET": SECRET,
            "GATEWAY_WEBHOOK_ALLOW_HTTP": "true",
        }
        expected = Counter(case.requests) + Counter(OF_A_MESSAGE)
        with start_worker(settings, tmp_path), Gateway.start(settings, tmp_path) as gateway:
            async with (
                Client.open(gateway.url, TOKENS["alice"]) as client,
                asyncio.timeout(4 * PATIENCE),
            ):
                # A worker looks every ten seconds whether the endpoint was stopped.
                while await _asked_for(case, client, proxy, OUTBOX) != expected:
                    pass


async def _asked_for(
    case: Case, client: Client, proxy: FaultProxy, last: str = PENDING
) -> Counter[str]:
    """What one upload costs, until an object with `last` in its key is removed."""
    proxy.asked.clear()
    data = files.PNG.ljust(case.size, b"\0")
    answer = await client.upload(
        f"/v1/channels/{CHANNEL}/messages", data, headers=dict(case.headers)
    )
    assert answer.status == (202 if case.headers else 200), answer.body
    while not any(method == "DELETE" and last in target for method, target in proxy.asked):
        await asyncio.sleep(0.05)
    return Counter(method for method, target in proxy.asked if not _is_probe(target))


@pytest.mark.usefixtures("sandbox_server")
async def test_a_relayed_upload_costs_no_more_than_its_end(
    environ: dict[str, str], seaweedfs: SeaweedFS, own_redis_url: str, tmp_path: Path
) -> None:
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        settings = environ | {
            "GATEWAY_DELIVERY": "relay",
            "GATEWAY_S3_ENDPOINT_URL": proxy.url,
            "GATEWAY_BROKER_URL": own_redis_url,
        }
        with start_worker(settings, tmp_path), Gateway.start(settings, tmp_path) as gateway:
            async with Client.open(gateway.url, TOKENS["alice"]) as client:
                answer = await client.upload(f"/v1/channels/{CHANNEL}/messages", files.PNG)
            async with Redis.from_url(settings["GATEWAY_REDIS_URL"]) as redis:
                while not any(RECORDS in target for _, target in proxy.asked) or await redis.exists(
                    tries(answer.upload_id)  # until the step is done
                ):
                    await asyncio.sleep(0.05)
    assert answer.status == 200, answer.body
    asked = Counter(method for method, target in proxy.asked if not _is_probe(target))
    assert asked == RELAYED.requests


def _is_probe(target: str) -> bool:
    """Whether it is a starting gateway's check that the store honours conditions."""
    return "/doctor/" in target


@pytest.mark.usefixtures("sandbox_server")
async def test_a_small_part_of_an_upload_costs_three_requests(
    environ: dict[str, str], seaweedfs: SeaweedFS, own_redis_url: str, tmp_path: Path
) -> None:
    chunk, chunks = 500 * 1024, 66
    data = files.PNG.ljust(chunk * chunks, b"\0")
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        settings = environ | {
            "GATEWAY_DELIVERY": "external",
            "GATEWAY_S3_ENDPOINT_URL": proxy.url,
            "GATEWAY_BROKER_URL": own_redis_url,
        }
        with Gateway.start(settings, tmp_path) as gateway:
            async with Client.open(gateway.url, TOKENS["alice"]) as client:
                begun = await create(client, {"Upload-Length": str(len(data))})
                url = begun.headers["Location"]
                for start in range(0, len(data), chunk):
                    answer = await tus_patch(client, url, start, data[start : start + chunk])
                    assert answer.status == 204, answer.body
    asked = [target for _, target in proxy.asked if not _is_probe(target)]
    # Of each: the tail, the session; read again with the part. Of each of four parts: the part, and
    # the removal of the tails. At most ten at the beginning and the end.
    assert len(asked) <= 3 * chunks + 4 * 2 + 10
