"""The gateway's own token, among several processes, with Redis and without."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from gateway.crypto import KeyRing
from gateway.errors import UpstreamUnavailable
from gateway.upstream.client import ChatKitty
from gateway.upstream.endpoints import recognise
from gateway.upstream.shared_token import Seal, SharedToken, Token
from gateway.upstream.token import ClientCredentials, OwnToken
from tests.gateway.upstream.scripted import CUT, Received, ScriptedServer, answer

RING = KeyRing([base64.urlsafe_b64encode(bytes(32)).decode()])
SEAL = Seal(RING.encrypt, RING.decrypt)
Process = Callable[..., Awaitable[OwnToken]]


def issued(value: str, life: object = 3600) -> bytes:
    return answer(200, {"access_token": value, "token_type": "bearer", "expires_in": life})


def credentials(server: ScriptedServer) -> ClientCredentials:
    return ClientCredentials(f"{server.url}/oauth/token", "client", "s3cret: é")


@pytest.fixture
async def process(upstream: ScriptedServer, own_redis_url: str) -> AsyncIterator[Process]:
    """Starts the token of one more process."""
    async with AsyncExitStack() as stack:

        async def start(seal: Seal = SEAL, url: str = own_redis_url) -> OwnToken:
            redis = Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
            stack.push_async_callback(redis.aclose)
            return await stack.enter_async_context(
                OwnToken.open(credentials(upstream), redis, seal)
            )

        yield start


async def test_a_token_is_asked_for_with_the_client_credentials(
    upstream: ScriptedServer, process: Process
) -> None:
    upstream.replies(issued("t1"))
    own = await process()
    assert await own.get() == "t1"
    assert await own.authorization() == "Bearer t1"
    (request,) = upstream.requests
    assert (request.method, request.target) == ("POST", "/oauth/token")
    basic = base64.b64encode("client:s3cret: é".encode()).decode()
    assert request.headers["authorization"] == f"Basic {basic}"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.body == b"grant_type=client_credentials"


async def test_many_processes_at_once_fetch_one_token(
    upstream: ScriptedServer, process: Process
) -> None:
    asked = asyncio.Event()

    async def slowly(_: Received) -> bytes:
        asked.set()
        await asyncio.sleep(0)
        return issued(f"t{len(upstream.requests)}")

    upstream.replies(slowly)
    tokens = [await process() for _ in range(5)]
    got = await asyncio.gather(*(own.get() for own in tokens for _ in range(4)))
    assert set(got) == {"t1"}
    assert len(upstream.requests) == 1


async def test_redis_never_sees_the_token_itself(
    upstream: ScriptedServer, process: Process, own_redis_url: str
) -> None:
    upstream.replies(issued("super-secret"))
    await (await process()).get()
    async with Redis.from_url(own_redis_url) as redis:
        keys = await redis.keys("*")
        kept = [(await redis.get(key), await redis.ttl(key)) for key in keys]
    ((sealed, life),) = kept
    assert isinstance(sealed, bytes)
    assert RING.decrypt(sealed.decode()) == '["super-secret", 3600.0]'
    assert b"super-secret" not in sealed
    assert 0 < life <= 3600


async def test_a_token_encrypted_with_another_key_is_fetched_again(
    upstream: ScriptedServer, process: Process
) -> None:
    other = KeyRing([base64.urlsafe_b64encode(b"1" * 32).decode()])
    upstream.replies(issued("t1"), issued("t2"))
    assert await (await process(Seal(other.encrypt, other.decrypt))).get() == "t1"
    assert await (await process()).get() == "t2"


async def test_without_redis_each_process_works_by_itself(
    upstream: ScriptedServer, process: Process, refusing_url: str
) -> None:
    upstream.replies(issued("t1"), issued("t2"))
    nowhere = refusing_url.replace("http", "redis")
    one, two = await process(url=nowhere), await process(url=nowhere)
    assert [await one.get(), await one.get(), await two.get()] == ["t1", "t1", "t2"]


async def test_without_redis_one_process_still_fetches_one_token_at_a_time(
    upstream: ScriptedServer, process: Process, refusing_url: str
) -> None:
    upstream.replies(issued("t1"), issued("t2"))
    own = await process(url=refusing_url.replace("http", "redis"))
    assert set(await asyncio.gather(*(own.get() for _ in range(5)))) == {"t1"}


async def test_a_refused_token_is_replaced_once_for_all(
    upstream: ScriptedServer, process: Process
) -> None:
    upstream.replies(issued("old"), issued("new"))
    processes = [await process() for _ in range(4)]
    assert {await own.get() for own in processes} == {"old"}
    assert set(await asyncio.gather(*(own.refresh("old") for own in processes))) == {"new"}
    assert {await own.get() for own in processes} == {"new"}
    assert len(upstream.requests) == 2


async def test_a_server_that_gives_the_same_token_again_is_not_asked_for_ever(
    upstream: ScriptedServer, process: Process
) -> None:
    upstream.replies(issued("same"))
    own = await process()
    await own.get()
    assert await own.renewed("Bearer same") is None
    assert len(upstream.requests) == 2


async def test_registering_with_a_stale_token_renews_it(
    upstream: ScriptedServer, process: Process
) -> None:
    upstream.replies(
        issued("old"),
        answer(401, {"error": "invalid_token"}),
        issued("new"),
        answer(200, {"id": 1}),
    )
    endpoint = recognise("/v1/channels/1/messages")
    assert endpoint is not None
    async with ChatKitty.open(upstream.url, timeout=30.0) as client:
        got = await client.register(endpoint, {"type": "FILE"}, await process())
    assert got.status == 200
    assert [request.headers["authorization"] for request in upstream.requests[1::2]] == [
        "Bearer old",
        "Bearer new",
    ]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(CUT, id="cut"),
        pytest.param(answer(401, {"error": "invalid_client"}), id="refused"),
        pytest.param(answer(200, b"<html>"), id="not JSON"),
        pytest.param(answer(200, {"token_type": "bearer"}), id="no token"),
        pytest.param(issued(""), id="empty"),
        pytest.param(issued("a\r\nX: y"), id="two lines"),
        pytest.param(issued("x" * 10_000), id="too long"),
    ],
)
async def test_no_token_is_a_failure_that_may_pass_and_leaves_nothing_behind(
    upstream: ScriptedServer, process: Process, reply: bytes
) -> None:
    own = await process()
    upstream.replies(reply)
    with pytest.raises(UpstreamUnavailable) as failed:
        await own.get()
    assert (failed.value.retryable, failed.value.outcome_unknown) == (True, False)
    upstream.replies(issued("t1"))
    assert await own.get() == "t1"


@pytest.mark.parametrize(
    "life", [None, "3600", 1e300, 10**400, float("nan"), -5, 0], ids=lambda life: str(life)[:5]
)
async def test_any_lifetime_gives_a_usable_token(
    upstream: ScriptedServer, process: Process, life: object
) -> None:
    upstream.replies(issued("t1", life))
    assert await (await process()).get() == "t1"


async def test_a_token_near_its_end_serves_until_another_is_to_be_had(
    upstream: ScriptedServer, process: Process, own_redis_url: str
) -> None:
    own = await process()
    now = time.monotonic()
    old = Token("old", 3600.0, now + 30.0)
    assert (old.is_fresh(now), old.is_usable(now)) == (False, True)
    async with Redis.from_url(own_redis_url) as redis:
        await SharedToken(redis, own._shared._key, SEAL).write(old)
    upstream.replies(answer(503, {}))
    assert await own.get() == "old"
    upstream.replies(issued("new"))
    assert await own.get() == "new"


async def test_usable_token_needs_no_wait_for_the_lock(
    upstream: ScriptedServer, process: Process, own_redis_url: str
) -> None:
    own = await process()
    async with Redis.from_url(own_redis_url) as redis:
        shared = SharedToken(redis, own._shared._key, SEAL)
        await shared.write(Token("old", 3600.0, time.monotonic() + 30.0))
        async with shared.turn(patience=0.0) as ours:
            assert ours
            assert await own.get() == "old"
    assert upstream.requests == []


async def test_while_one_renewal_takes_its_time_the_old_token_serves(
    upstream: ScriptedServer, process: Process, own_redis_url: str
) -> None:
    own = await process()
    async with Redis.from_url(own_redis_url) as redis:
        shared = SharedToken(redis, own._shared._key, SEAL)
        await shared.write(Token("old", 3600.0, time.monotonic() + 30.0))
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slowly(_: Received) -> bytes:
        asked.set()
        await answered.wait()
        return issued("new")

    upstream.replies(slowly)
    renewing = asyncio.create_task(own.get())
    await asked.wait()
    assert [await own.get() for _ in range(3)] == ["old"] * 3
    answered.set()
    assert await renewing == "new"
    assert len(upstream.requests) == 1


async def test_process_without_a_token_waits_for_the_one_being_fetched(
    upstream: ScriptedServer, process: Process, own_redis_url: str
) -> None:
    own = await process()
    async with Redis.from_url(own_redis_url) as redis:
        shared = SharedToken(redis, own._shared._key, SEAL)
        async with shared.turn(patience=0.0):
            waiting = asyncio.create_task(own.get())
            await shared.write(Token("theirs", 3600.0, time.monotonic() + 3600.0))
        assert await waiting == "theirs"
    assert upstream.requests == []


async def test_a_short_lived_token_is_renewed_at_half_its_life() -> None:
    token = Token("t", 10.0, 110.0)
    assert [token.is_fresh(at) for at in (100.0, 104.9, 105.0)] == [True, True, False]
    assert [token.is_usable(at) for at in (109.9, 110.0)] == [True, False]


async def test_secrets_in_memory_do_not_show_in_a_log() -> None:
    shown = repr([Token("t0k3n", 1.0, 2.0), ClientCredentials("https://x", "client", "s3cret")])
    assert "t0k3n" not in shown
    assert "s3cret" not in shown
