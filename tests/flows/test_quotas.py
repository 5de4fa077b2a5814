"""One subject's quota in both engines: what is admitted, what is refused, and the answers."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from gateway.limits.shared_quota import LEASE_SECONDS
from gateway.uploads import keys
from tests.flows import raw
from tests.flows.client import Answer, Client
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

MESSAGES = f"/v1/channels/{CHANNEL}/messages"
REQUESTS, BYTES, UPLOADS = 6, 20_000, 2
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
WINDOW = 600
"""Longer than the tests take: no quota becomes free again."""

KINDS = {
    "fast": {"GATEWAY_DELIVERY": "relay"},
    "plain": {"GATEWAY_DELIVERY": "relay", "GATEWAY_ENGINE": "plain"},
    "external": {"GATEWAY_DELIVERY": "external"},
}


@pytest.fixture(scope="module")
def fleet_environ(environ: dict[str, str], module_redis_url: str) -> dict[str, str]:
    """The settings of a fleet that limits its subjects."""
    return {
        **environ,
        "GATEWAY_REDIS_URL": module_redis_url,
        "GATEWAY_SUBJECT_REQUESTS": str(REQUESTS),
        "GATEWAY_SUBJECT_BYTES": str(BYTES),
        "GATEWAY_SUBJECT_UPLOADS": str(UPLOADS),
        "GATEWAY_SUBJECT_WINDOW": str(WINDOW),
        "GATEWAY_GRANTS": "relay",
    }


@pytest.fixture(scope="module")
def gateways(fleet_environ: dict[str, str], servers_dir: Path) -> Iterator[dict[str, Gateway]]:
    """One of each kind, in one fleet."""
    with ExitStack() as stack:
        yield {
            kind: stack.enter_context(Gateway.start({**fleet_environ, **settings}, servers_dir))
            for kind, settings in KINDS.items()
        }


@pytest.fixture(autouse=True)
def redis(module_redis_url: str) -> Iterator[Redis]:
    """The Redis with the quotas; nothing of them is used yet."""
    with Redis.from_url(module_redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(params=KINDS)
def gateway(request: pytest.FixtureRequest, gateways: dict[str, Gateway]) -> Gateway:
    return gateways[request.param]


@pytest.fixture
async def alice(gateway: Gateway) -> AsyncIterator[Client]:
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        yield client


async def upload(client: Client, size: int = 100, **headers: str) -> Answer:
    headers = {"Prefer": "respond-async"} | headers
    return await client.upload(MESSAGES, bytes(size), headers=headers)


def left(answer: Answer) -> dict[str, int]:
    """What is left of each policy."""
    return {
        name: int(number)
        for name, number in re.findall(r'"gateway-(\w+)";r=(\d+)', answer.headers["RateLimit"])
    }


def refused(answer: Answer, *policies: str) -> bool:
    """Whether it is a whole refusal for these policies."""
    document = answer.json()
    return (
        answer.status == 429
        and document["type"].endswith(":quota-exceeded")
        and document["violated-policies"] == [f"gateway-{policy}" for policy in policies]
        and int(answer.headers["Retry-After"]) >= 1
        and answer.headers["RateLimit-Policy"].startswith(f'"gateway-requests";q={REQUESTS};w=')
    )


async def test_requests_of_every_sort_count_until_there_are_too_many(alice: Client) -> None:
    first = await upload(alice)
    assert first.status in (200, 202), first.body
    assert left(first)["requests"] == REQUESTS - 1
    assert left(await alice.request("GET", "/gateway/uploads"))["requests"] == REQUESTS - 2
    resource = await alice.request("GET", f"/gateway/uploads/{first.upload_id}")
    assert left(resource)["requests"] == REQUESTS - 3
    passed = await alice.request("GET", "/v1/channels")
    assert passed.status == 200
    assert left(passed)["requests"] == REQUESTS - 4
    broken = await alice.request("POST", MESSAGES, headers={"Content-Type": "multipart/form-data"})
    assert broken.status == 400
    assert left(broken)["requests"] == REQUESTS - 5
    assert (await upload(alice)).status in (200, 202)
    for answer in (
        await upload(alice),
        await alice.request("GET", "/gateway/uploads"),
        await alice.request("GET", "/v1/channels"),
    ):
        assert refused(answer, "requests"), answer.body
        assert left(answer)["requests"] == 0


async def test_a_fleet_counts_together_and_each_subject_separately(
    gateways: dict[str, Gateway],
) -> None:
    async with Client.open("", TOKENS["alice"]) as client:
        fleet = [Client(client.session, each.url, client.token) for each in gateways.values()]
        answers = [await upload(at) for at in fleet * 2]
        assert [left(answer)["requests"] for answer in answers] == [5, 4, 3, 2, 1, 0]
        for at in fleet:
            assert refused(await upload(at), "requests")
            bob = await upload(at.as_another(TOKENS["bob"]))
            assert bob.status in (200, 202)


async def test_concurrent_requests_are_admitted_up_to_the_limit(alice: Client) -> None:
    answers = await asyncio.gather(
        *(alice.request("GET", "/gateway/uploads") for _ in range(5 * REQUESTS))
    )
    statuses = [answer.status for answer in answers]
    assert (statuses.count(200), statuses.count(429)) == (REQUESTS, 4 * REQUESTS)


async def test_bytes_are_counted_by_the_declared_length(alice: Client) -> None:
    half = await upload(alice, BYTES // 2)
    assert half.status in (200, 202)
    assert BYTES // 2 - 1000 < left(half)["bytes"] < BYTES // 2
    assert refused(await upload(alice, BYTES // 2), "bytes")
    assert (await upload(alice, 100)).status in (200, 202)
    never = await upload(alice, BYTES)
    assert never.status == 413
    assert never.json()["type"].endswith(":larger-than-quota")


async def test_a_chunked_body_that_exceeds_the_quota_is_charged_to_the_next(
    alice: Client, gateway: Gateway
) -> None:
    body = raw.form(bytes(BYTES + 1))
    headers = (AUTHORIZATION, raw.FORM_TYPE, "Transfer-Encoding: chunked", "Connection: close")
    prefer = "Prefer: respond-async"
    sent = raw.head(MESSAGES, *headers, prefer) + raw.chunked(body, 4096)
    answer = await raw.exchange(gateway.url, sent)
    assert answer.status in (200, 202), answer.data
    assert refused(await upload(alice, 1), "bytes")
    assert left(await alice.request("GET", "/gateway/uploads"))["bytes"] == 0


async def test_bytes_that_never_arrived_are_given_back(alice: Client, gateway: Gateway) -> None:
    length = f"Content-Length: {BYTES}"
    head = raw.head(MESSAGES, AUTHORIZATION, raw.FORM_TYPE, length)
    await raw.abandon(gateway.url, [head, raw.form(bytes(1000))[:500]])

    async def is_given_back() -> bool:
        answer = await alice.request("GET", "/gateway/uploads")
        return left(answer)["bytes"] == BYTES - 500 and left(answer)["uploads"] == UPLOADS

    async with asyncio.timeout(raw.PATIENCE):
        while not await is_given_back():
            await asyncio.sleep(0.1)


async def test_the_body_of_a_refused_upload_is_not_requested(
    alice: Client, gateway: Gateway
) -> None:
    for _ in range(REQUESTS):
        await alice.request("GET", "/gateway/uploads")
    headers = (AUTHORIZATION, raw.FORM_TYPE, "Content-Length: 1000", "Expect: 100-continue")
    answer = await raw.exchange(gateway.url, raw.head(MESSAGES, *headers), until=b"\r\n\r\n")
    assert answer.status == 429
    assert b"100 Continue" not in answer.data
    assert b"\r\nConnection: close\r\n" in answer.data  # what follows on it is unknown


async def test_the_body_of_an_admitted_upload_is_requested(gateway: Gateway) -> None:
    body = raw.form(b"x")
    expecting = ("Expect: 100-continue", f"Content-Length: {len(body)}", "Connection: close")
    head = raw.head(MESSAGES, AUTHORIZATION, raw.FORM_TYPE, *expecting, "Prefer: respond-async")
    answer = await raw.exchange(gateway.url, head, body, pause=0.2)
    assert answer.data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20")
    assert answer.data.count(b"\r\nRateLimit: ") == 1


async def test_uploads_in_progress_keep_their_places_until_they_end(
    alice: Client, gateway: Gateway
) -> None:
    body = raw.form(bytes(1000))
    length = f"Content-Length: {len(body)}"
    headers = (AUTHORIZATION, raw.FORM_TYPE, length, "Prefer: respond-async", "Connection: close")
    opened = [await _begin(gateway, raw.head(MESSAGES, *headers)) for _ in range(UPLOADS)]

    async def free() -> int:
        return left(await alice.request("GET", "/gateway/uploads"))["uploads"]

    while await free():
        await asyncio.sleep(0.05)
    assert refused(await upload(alice), "uploads")
    reader, writer = opened[0]
    writer.write(body)
    assert b" 20" in await reader.readline()
    await reader.read()
    assert await free() == 1
    writer.close()
    opened[1][1].close()


async def _begin(
    gateway: Gateway, head: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head)
    return reader, writer


async def test_callers_with_different_grants_share_nothing(gateway: Gateway) -> None:
    body = raw.form(b"x")
    for grant in ("one", "other"):
        length = f"Content-Length: {len(body)}"
        headers = (raw.FORM_TYPE, f"Grant: {grant}", length, "Prefer: respond-async")
        sent = raw.head(MESSAGES, *headers, "Connection: close") + body
        answer = await raw.exchange(gateway.url, sent)
        assert b'\r\nRateLimit: "gateway-requests";r=%d;' % (REQUESTS - 1) in answer.data


async def test_keys_in_redis_expire_and_contain_no_names(alice: Client, redis: Redis) -> None:
    await upload(alice, 100)
    for name in redis.scan_iter("quota:*"):
        assert redis.pttl(name) != -1  # which would be admitted without a limit
        assert re.fullmatch(rb"quota:[0-9a-f]{64}:(requests|bytes|uploads)", name)


async def test_the_places_of_a_gateway_that_was_killed_are_given_back(
    fleet_environ: dict[str, str], gateways: dict[str, Gateway], servers_dir: Path, redis: Redis
) -> None:
    headers = (AUTHORIZATION, raw.FORM_TYPE, "Content-Length: 1000")
    with Gateway.start(fleet_environ, servers_dir) as doomed:
        opened = [await _begin(doomed, raw.head(MESSAGES, *headers)) for _ in range(UPLOADS)]
        uploads = keys.quota("alice")[2]
        async with asyncio.timeout(raw.PATIENCE):
            while redis.zcard(uploads) < UPLOADS:
                await asyncio.sleep(0.05)
        os.kill(doomed.pid, signal.SIGKILL)
        for _, writer in opened:
            writer.close()
    async with Client.open(gateways["fast"].url, TOKENS["alice"]) as client:
        assert refused(await upload(client), "uploads")
        seconds, _ = redis.time()
        expired = redis.zcount(uploads, "-inf", (seconds + 1 + LEASE_SECONDS) * 1000)
        assert expired == UPLOADS
        members = [f"{member.decode()}" for member, _ in redis.zscan_iter(uploads)]
        redis.zadd(uploads, dict.fromkeys(members, seconds * 1000))  # as if that time had passed
        assert (await upload(client)).status == 200
