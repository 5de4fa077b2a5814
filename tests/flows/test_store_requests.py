"""What an upload costs at the store, which is paid for by the request."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads.keys import PENDING
from tests.flows import files
from tests.flows.client import Client
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, TOKENS
from tests.servers.store_proxy import FaultProxy


@pytest.mark.usefixtures("sandbox_server")
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        # file, record, claim, end; read: record, file, end
        (100_000, {"PUT": 4, "GET": 3, "DELETE": 1}),
        # three parts in place of one file, begun and completed; its first and last bytes; and
        # whether a sweeper took it for an orphan; and a copy of its record
        (20_000_000, {"PUT": 7, "POST": 2, "GET": 5, "HEAD": 1, "DELETE": 1}),
    ],
)
async def test_requests_of_an_upload(
    size: int,
    expected: dict[str, int],
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
            async with Client.open(gateway.url, TOKENS["alice"]) as client:
                answer = await client.upload(
                    f"/v1/channels/{CHANNEL}/messages", files.PNG.ljust(size, b"\0")
                )
    assert answer.status == 200, answer.body
    asked = Counter(method for method, target in proxy.asked if not _is_probe(target))
    # A gateway that has waited for two seconds looks for the end by itself, by two requests.
    opened = [target for method, target in proxy.asked if method == "GET" and PENDING in target]
    asked["GET"] -= 2 * (len(opened) - 1)
    assert asked == expected


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
            while not any(PENDING in target for _, target in proxy.asked):
                await asyncio.sleep(0.05)
    assert answer.status == 200, answer.body
    # What is deleted is there only where Redis was away; it is the last request, and costs nothing.
    asked = Counter(method for method, target in proxy.asked if not _is_probe(target))
    assert asked == {"PUT": 1, "DELETE": 1}


def _is_probe(target: str) -> bool:
    """Whether a gateway tries, once as it starts, if the store heeds conditions."""
    return "/doctor/" in target
