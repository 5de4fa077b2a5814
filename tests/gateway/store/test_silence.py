"""A silent store makes one call wait; one that does something, however slowly, is waited for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from io import BytesIO

import pytest
from botocore.exceptions import ClientError  # noqa: TID251 - an answer of the store

from chaos.servers.listening import listening
from gateway.errors import StoreUnavailable
from gateway.store import silence
from gateway.store.s3 import S3Store
from gateway.store.silence import Silence
from tests.doctor.wires import silent

BODY = bytes(24 * 1024**2)
PIECE = 1024**2
PATIENCE = 30.0


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[S3Store]:
    async with S3Store.open(
        endpoint_url=url,
        bucket="none",
        region="us-east-1",
        access_key_id="none",
        secret_access_key="none",
    ) as store:
        yield store


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had patience."""
    for name, seconds in (
        ("SECONDS", 2.0),  # more than a busy machine stands still
        ("_NOTED_SECONDS", 1.0),
        ("_MOMENT", 0.01),
        ("_LOOK_SECONDS", 0.01),
    ):
        monkeypatch.setattr(silence, name, seconds)


@pytest.mark.usefixtures("hasty")
async def test_one_call_waits_for_a_silent_store_and_those_after_it_for_a_moment() -> None:
    async with silent() as address, opened(f"http://{address}") as store:
        assert store._silence.patience == silence.SECONDS
        with pytest.raises(StoreUnavailable):
            await store.put("key", b"x")
        assert store._silence.patience == silence._MOMENT
        with pytest.raises(StoreUnavailable):
            await store.head("key")


async def _ask(seen: Silence, seconds: float, error: Exception | None = None) -> None:
    with suppress(ClientError, TimeoutError):
        async with seen.call():
            await asyncio.sleep(seconds)
            if error is not None:
                raise error


@pytest.mark.usefixtures("hasty")
async def test_a_store_that_answers_others_is_not_silent() -> None:
    seen = Silence()
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask(seen, 1.5, TimeoutError()))
        group.create_task(_ask(seen, 0.5, ClientError({}, "GetObject")))
    assert seen.patience == silence.SECONDS


@pytest.mark.usefixtures("hasty")
async def test_a_quick_failure_is_not_silence() -> None:
    seen = Silence()
    await _ask(seen, 0.0, TimeoutError())
    assert seen.patience == silence.SECONDS


@pytest.mark.usefixtures("hasty")
async def test_silence_ends_with_an_answer_and_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Silence()
    await _ask(seen, 1.5, TimeoutError())
    assert seen.patience == silence._MOMENT
    await _ask(seen, 0.0)
    assert seen.patience == silence.SECONDS
    monkeypatch.setattr(silence, "_LASTS_SECONDS", 0.0)
    await _ask(seen, 1.5, TimeoutError())
    assert seen.patience == silence.SECONDS


@pytest.mark.usefixtures("hasty")
async def test_a_body_may_take_longer_while_the_store_reads_it() -> None:
    async def take_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(len(BODY) // PIECE):
                await reader.readexactly(PIECE)
                await asyncio.sleep(0.2)
            writer.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n')
            await writer.drain()

    async with listening(take_slowly) as url, opened(url) as store:
        started = time.monotonic()
        await store.put("key", BytesIO(BODY))
        assert time.monotonic() - started > 2 * silence.SECONDS


@pytest.mark.usefixtures("hasty")
async def test_a_cancelled_call_is_not_silence_while_the_store_reads_its_body() -> None:
    async def take_slowly(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(PIECE):
            await asyncio.sleep(0.1)

    async with listening(take_slowly) as url, opened(url) as store:
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * silence._NOTED_SECONDS):
                await store.put("key", BytesIO(BODY))
        assert store._silence.patience == silence.SECONDS


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
async def test_a_suspended_process_reads_what_arrived_meanwhile() -> None:
    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(silence.SECONDS / 4)
                time.sleep(1.5 + silence.SECONDS)  # noqa: ASYNC251 - all of the process
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with listening(answer_late) as url, opened(url) as store:
        await store.ping()
        assert store._silence.patience == silence.SECONDS


@pytest.mark.usefixtures("hasty")
async def test_calls_that_wait_for_others_are_bounded_by_the_stores_activity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(silence, "_CALLS", 1)
    seen = Silence()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):  # one after the other
            group.create_task(_ask(seen, 1.0))
    assert seen.patience == silence.SECONDS
    async with seen.call(more=PATIENCE), asyncio.timeout(PATIENCE):
        with pytest.raises(TimeoutError):
            await _wait_for_turn(seen)
    assert seen.patience == silence.SECONDS


async def _wait_for_turn(seen: Silence) -> None:
    async with seen.call():
        pytest.fail("there was one turn too many")


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="session")
async def test_slow_readers_do_not_block_the_store(store: S3Store, prefix: str) -> None:
    await store.put(f"{prefix}big", BODY)
    async with AsyncExitStack() as stack:
        for _ in range(silence._CALLS):
            reader = store.stream(f"{prefix}big", 0, len(BODY))
            await anext(await stack.enter_async_context(aclosing(reader)))
        async with asyncio.timeout(silence.SECONDS / 2):
            await store.head(f"{prefix}big")
