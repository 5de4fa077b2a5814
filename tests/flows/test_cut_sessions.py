"""Uploads in several requests: clients, gateways or stores fail in the middle of a request."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from tests.flows import files
from tests.flows.client import Client
from tests.flows.parts import until_stored
from tests.flows.resuming import (
    DRAFT,
    TUS,
    begin,
    begin_form,
    create,
    form_of,
    offset_of,
    patch,
    send_cut,
    sending,
    tus_patch,
)
from tests.flows.two_gateways import Pair, clients_of, two_gateways
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS
from tests.servers.store_proxy import Fault, FaultProxy
from tests.servers.unread import all_is_read

pytestmark = pytest.mark.slow

MIB = 1024**2
DATA = files.PNG + random.Random(3).randbytes(30 * MIB)
SENT = {"file": DATA, "form": form_of(DATA)}
WAYS = pytest.mark.parametrize("way", SENT)


@pytest.fixture(scope="module")
def settings(environ: dict[str, str], module_redis_url: str) -> dict[str, str]:
    return environ | {
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_BROKER_URL": module_redis_url,
        "GATEWAY_REDIS_URL": module_redis_url,
    }


@pytest.fixture(scope="module")
def replicas(settings: dict[str, str], servers_dir: Path) -> Iterator[Pair]:
    with two_gateways(settings, servers_dir) as started:
        yield started


@pytest.fixture
async def clients(replicas: Pair) -> AsyncIterator[tuple[Client, Client]]:
    async with clients_of(replicas) as opened:
        yield opened


async def path_of(client: Client, way: str = "file") -> str:
    begun = await (begin_form(client) if way == "form" else begin(client))
    return urlsplit(begun.headers["Location"]).path


async def assert_complete(client: Client, path: str, data: bytes) -> None:
    """Send what is missing of `data`."""
    offset = await offset_of(client, path)
    answer = await patch(client, path, offset, data[offset:], last=True)
    assert answer.status == 200, answer.body
    stored = await client.request("GET", answer.json()["file"]["url"])
    assert stored.body == DATA


async def test_a_half_dead_connection_is_taken_over_by_another_gateway(
    clients: tuple[Client, Client], store: S3Store
) -> None:
    first, second = clients
    path = await path_of(first)
    async with sending(first, path, 0, DATA[: 9 * MIB], len(DATA)) as (reader, writer):
        # The first gateway has two seconds for the rest, once the second one asks for the offset.
        await until_stored(store, 1, below=keys.incoming(path.rpartition("/")[2]))
        writer.write(DATA[9 * MIB : 11 * MIB])
        await all_is_read(writer)
        assert await offset_of(second, path) == 11 * MIB
        assert b" 409 " in await reader.readuntil(b"\r\n")
    await assert_complete(second, path, DATA)


async def test_each_part_may_reach_another_gateway(clients: tuple[Client, Client]) -> None:
    begun = await create(clients[0], {"Upload-Length": str(len(DATA))})
    path = urlsplit(begun.headers["Location"]).path
    size = 1_300_000
    for turn, start in enumerate(range(0, len(DATA), size)):
        piece = DATA[start : start + size]
        answer = await tus_patch(clients[turn % 2], path, start, piece)
        assert answer.status == 204, answer.body
    resource = await clients[1].end_of(begun.upload_id)
    stored = await clients[0].request("GET", resource["url"])
    assert stored.body == DATA


@WAYS
async def test_a_gateway_that_stops_commits_what_it_has(
    settings: dict[str, str], clients: tuple[Client, Client], tmp_path: Path, way: str
) -> None:
    data = SENT[way]
    with Gateway.start(settings, tmp_path) as gateway:
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            path = await path_of(client, way)
            async with sending(client, path, 0, data[: 9 * MIB], len(data)) as (reader, writer):
                await all_is_read(writer)
                os.kill(gateway.pid, signal.SIGTERM)
                with suppress(ConnectionError):
                    await reader.read()
        assert await offset_of(clients[0], path) == 9 * MIB
    await assert_complete(clients[1], path, data)


async def test_a_client_that_falls_silent_loses_nothing(
    settings: dict[str, str], clients: tuple[Client, Client], tmp_path: Path
) -> None:
    impatient = {**settings, "GATEWAY_BODY_TIMEOUT": "4"}
    with Gateway.start(impatient, tmp_path) as gateway:
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            path = await path_of(client)
            async with sending(client, path, 0, DATA[: 9 * MIB], len(DATA)) as (reader, _):
                head = await reader.readuntil(b"\r\n\r\n")
                assert b" 408 " in head
                assert f"Upload-Offset: {9 * MIB}".encode() in head
    await assert_complete(clients[0], path, DATA)


@WAYS
async def test_a_store_that_fails_for_a_while_costs_no_more_than_what_it_lost(
    settings: dict[str, str],
    clients: tuple[Client, Client],
    seaweedfs: SeaweedFS,
    tmp_path: Path,
    way: str,
) -> None:
    data = SENT[way]
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        own = {**settings, "GATEWAY_S3_ENDPOINT_URL": proxy.url}
        with Gateway.start(own, tmp_path) as gateway:
            async with Client.open(gateway.url, TOKENS["alice"]) as client:
                path = await path_of(client, way)
                proxy.fail(rb"^PUT \S+partNumber=2", Fault.REFUSE)
                answer = await patch(client, path, 0, data, last=True)
                assert answer.status == 503
                proxy.mend()
                assert await offset_of(client, path) == data.index(DATA) + 8 * MIB
    await assert_complete(clients[0], path, data)


async def test_a_quota_does_not_end_an_upload_by_tus(
    settings: dict[str, str], tmp_path: Path
) -> None:
    own = {**settings, "GATEWAY_SUBJECT_REQUESTS": "3", "GATEWAY_SUBJECT_WINDOW": "3600"}
    with Gateway.start(own, tmp_path) as gateway:
        async with Client.open(gateway.url, TOKENS["bob"]) as client:
            begun = await create(client, {"Upload-Length": "100"})
            path = urlsplit(begun.headers["Location"]).path
            assert (await tus_patch(client, path, 0, b"x")).status == 204
            assert (await client.request("HEAD", path, headers=TUS)).status == 200
            for answer in (
                await tus_patch(client, path, 1, b"x"),
                await client.request("HEAD", path, headers=TUS),
                await client.request("DELETE", path, headers=TUS),
            ):
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) > 0
            assert (await client.request("HEAD", path, headers=DRAFT)).status == 429


@WAYS
@pytest.mark.parametrize("seed", [1, 2])
async def test_uploads_survive_random_cuts_and_kills(
    settings: dict[str, str],
    replicas: Pair,
    clients: tuple[Client, Client],
    tmp_path: Path,
    seed: int,
    way: str,
) -> None:
    """Half of the requests are cut off; for each fourth one the gateway is killed."""
    chance = random.Random(seed)
    data = SENT[way]
    path = await path_of(clients[0], way)
    offset, cuts = 0, 0
    while cuts < 12:
        announced = len(data) - offset
        size = chance.randint(0, min(announced - 1, 5 * MIB))
        if chance.random() < 0.25:
            piece = data[offset : offset + size]
            await _killed(settings, tmp_path, path, offset, piece, announced)
            now = await offset_of(chance.choice(clients), path)
            assert offset <= now <= offset + size
        else:
            turn = chance.randrange(len(clients))
            piece = data[offset : offset + size]
            await send_cut(replicas[turn], clients[turn], path, offset, piece, announced)
            now = await offset_of(chance.choice(clients), path)
            assert now == offset + size
        offset, cuts = now, cuts + 1
    await assert_complete(clients[1], path, data)


async def _killed(
    settings: dict[str, str], directory: Path, path: str, offset: int, data: bytes, announced: int
) -> None:
    with Gateway.start(settings, directory) as gateway:
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            async with sending(client, path, offset, data, announced):
                await asyncio.sleep(0.2)
                os.kill(gateway.pid, signal.SIGKILL)
            with suppress(aiohttp.ClientError):
                await client.request("GET", "/gateway/healthz")
