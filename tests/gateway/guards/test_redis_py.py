"""What redis-py does wrong: a test that fails here says that its guard can go."""

import asyncio
import sys
import time
from typing import Any

import pytest
from redis.asyncio.connection import Connection as AsyncConnection
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection

from gateway.guards.redis_py import AnswersInOrder, CancellableSending
from gateway.stack.ports import HOST
from gateway.stack.valkey import Valkey

LATE = 0.2


class Guarded(CancellableSending, AsyncConnection):
    pass


async def tasks_made_by_sending(connection_class: type[AsyncConnection], port: int) -> int:
    connection = connection_class(host=HOST, port=port, socket_timeout=5)
    await connection.connect()
    made = 0

    def make(loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += 1
        return asyncio.Task(work, loop=loop, **options)

    asyncio.get_running_loop().set_task_factory(make)
    try:
        await connection.send_command("PING")
        assert await connection.read_response() == b"PONG"
    finally:
        asyncio.get_running_loop().set_task_factory(None)
        await connection.disconnect()
    return made


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 has another asyncio.wait_for")
async def test_redis_py_still_sends_by_wait_for(valkey: Valkey) -> None:
    """Which makes a task for it, and swallows a cancellation that comes as that has just ended."""
    assert await tasks_made_by_sending(AsyncConnection, valkey.port) > 0
    assert await tasks_made_by_sending(Guarded, valkey.port) == 0


class Named:
    """What stands for sentinels, to a connection."""

    is_master = True
    check_connection = False

    def __init__(self, port: int) -> None:
        self._port = port

    def get_master_address(self) -> tuple[str, int]:
        return HOST, self._port


@pytest.mark.parametrize(
    ("connection_class", "answer"), [(SentinelManagedConnection, None), (AnswersInOrder, b"PONG")]
)
def test_redis_py_still_takes_a_late_answer_for_the_next_one(
    valkey: Valkey, connection_class: type[SentinelManagedConnection], answer: bytes | None
) -> None:
    connection = connection_class(
        connection_pool=Named(valkey.port), socket_timeout=5, retry=Retry(NoBackoff(), 0)
    )
    connection.connect()
    try:
        connection.send_command("BLPOP", "nothing-comes", LATE)
        with pytest.raises(RedisTimeout):
            connection.read_response(timeout=LATE / 4)
        time.sleep(LATE)
        connection.send_command("PING")
        assert connection.read_response(timeout=5) == answer
    finally:
        connection.disconnect()
