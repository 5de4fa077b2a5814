"""A name with two addresses, of which the first swallows what is sent to it: the second serves.

Source: RFC 8305. The resolver is the test's; the addresses are real ones of this host.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from multidict import CIMultiDict
from redis.asyncio import Redis

from chaos.servers.listening import listening
from gateway.delivery.forward import Forwarder, Outgoing, upstream_session
from gateway.delivery.relay.upstream import UpstreamPool
from gateway.redis.pool import RolePool
from gateway.stack.ports import HOST

SILENT = "127.0.0.2"
NAME = "two-addresses.test"
PATIENCE = 5.0


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which nothing answers at the one address; at the other it is free."""
    with ExitStack() as stack:
        # Bound, so that nobody else is given it, and free to be listened on (SO_REUSEADDR).
        free = stack.enter_context(socket.socket())
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind((HOST, 0))
        silent = SILENT, free.getsockname()[1]
        full = stack.enter_context(socket.create_server(silent, backlog=0))
        for _ in range(5):  # the queue is full, and what comes beyond that is dropped
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@pytest.fixture(autouse=True)
def resolver(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = socket.getaddrinfo

    def answer(host: str, *rest: object, **more: object) -> list[object]:
        if host != NAME:
            return list(ask(host, *rest, **more))  # type: ignore[arg-type]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in (SILENT, HOST)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP or Redis, whatever is asked for."""
    try:
        while asked := await reader.read(65_536):
            if b"HTTP" in asked:
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            else:
                writer.write(b"+PONG\r\n" * asked.count(b"*"))
    finally:
        writer.close()


async def test_the_fast_engine_reaches_the_second_address(port: int) -> None:
    pool = UpstreamPool(f"http://{NAME}:{port}")
    async with listening(serve, port), asyncio.timeout(PATIENCE):
        assert (await pool.connect()).usable
        pool.close()


async def test_the_plain_engine_reaches_the_second_address(port: int) -> None:
    async with listening(serve, port), upstream_session(PATIENCE) as session:
        asked = Outgoing("GET", "/", CIMultiDict(), None)
        async with asyncio.timeout(PATIENCE):
            async with Forwarder(session, f"http://{NAME}:{port}", PATIENCE).send(
                asked
            ) as response:
                assert response.status == 204


async def test_redis_is_reached_at_the_second_address(port: int) -> None:
    pool = RolePool.of(f"redis://{NAME}:{port}?protocol=2&lib_name=&lib_version=")
    async with listening(serve, port), Redis.from_pool(pool) as redis:
        assert await redis.ping()
