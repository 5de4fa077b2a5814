"""What passes through in time: bodies in pieces, and sides that are slow, silent or gone."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.flows.raw import chunked, head
from tests.flows.scripted import AUTHORIZATION, USUAL, Pair, Script, open_pair
from tests.hostile.talk import Line, Reply
from tests.servers.gateway import Gateway

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

MIB = 1024**2
EVENT = b"8\r\ndata: x\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
LAST = b"0\r\n\r\n"
IMPATIENT = {"GATEWAY_BODY_TIMEOUT": "3", "GATEWAY_ANSWER_TIMEOUT": "3"}
LARGE = 48 * MIB
"""More than kernels and the gateway's buffers hold."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(environ: dict[str, str], servers_dir: Path) -> AsyncIterator[Pair]:
    """Gateways that wait for the upstream for 2 s, and for clients for 3 s."""
    async with open_pair(servers_dir, {**environ, **IMPATIENT}) as opened:
        yield opened


@pytest.fixture(params=["fast", "plain"])
def gateway(request: pytest.FixtureRequest, pair: Pair) -> Gateway:
    pair.upstream.take()
    return pair.gateways[request.param]


def ask(target: str) -> bytes:
    return head(target, AUTHORIZATION, method="GET")


async def reply_to(gateway: Gateway, *pieces: bytes, pause: float = 0.0) -> Reply | None:
    async with Line.open(gateway.url) as line:
        await line.send(pieces, pause)
        return await line.reply()


async def test_events_are_passed_on_one_by_one_as_they_arrive(pair: Pair, gateway: Gateway) -> None:
    """The time-out is one of silence: this answer takes longer than that."""
    pair.upstream.scripts["/v1/events"] = Script(
        STREAM, then=(*((0.7, EVENT) for _ in range(5)), (0.0, LAST))
    )
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(ask("/v1/events"))
    async with asyncio.timeout(20):
        await reader.readuntil(b"\r\n\r\n")
        arrived = []
        for _ in range(5):
            assert await reader.readexactly(len(EVENT)) == EVENT
            arrived.append(time.monotonic())
        assert await reader.readexactly(len(LAST)) == LAST
    writer.close()
    assert arrived[-1] - arrived[0] > 2  # and so they were not kept for each other


async def test_an_upstream_that_is_silent_is_not_waited_for(pair: Pair, gateway: Gateway) -> None:
    pair.upstream.scripts["/v1/silent"] = Script(USUAL, after=60)
    pair.upstream.scripts["/v1/half"] = Script(STREAM + EVENT, then=((60, LAST),))
    reply = await reply_to(gateway, ask("/v1/silent"))
    assert reply is not None
    assert reply.status == 504
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reply_to(gateway, ask("/v1/half"))


SENT = {
    "no body": ask("/v1/endless"),
    "a body": head("/v1/endless", AUTHORIZATION, "Content-Length: 5") + b"hello",
    "chunks": head("/v1/endless", AUTHORIZATION, CHUNKED) + chunked(b"hello", 2),
}
BEFORE_A_HEAD = {
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "pieces of one": (b"HTTP/1.1 200 OK\r\nX-Endless: ", b"x"),
}
"""What the upstream begins with, and what it sends again and again."""


@pytest.mark.parametrize("begun", BEFORE_A_HEAD)
@pytest.mark.parametrize("sent", SENT)
async def test_what_comes_before_a_head_does_not_prolong_the_wait_for_it(
    pair: Pair, gateway: Gateway, sent: str, begun: str
) -> None:
    opening, piece = BEFORE_A_HEAD[begun]
    endless = tuple((0.5, piece) for _ in range(60))
    pair.upstream.scripts["/v1/endless"] = Script(opening, then=endless, closes=True)
    async with Line.open(gateway.url) as line:
        await line.send([SENT[sent]])
        reply = await line.reply(20)  # less than it takes, more than connecting and 2 s
    assert reply is not None
    assert reply.status == 504


async def test_a_body_that_stops_is_not_waited_for(pair: Pair, gateway: Gateway) -> None:
    request = head("/v1/x", AUTHORIZATION, "Content-Length: 10")
    for begun in (b"", b"hello"):
        reply = await reply_to(gateway, request + begun)
        assert reply is not None
        assert (reply.status, reply.closes) == (408, True)
    assert pair.upstream.take() == []


async def test_a_body_may_take_long_if_it_never_stops_for_long(
    pair: Pair, gateway: Gateway
) -> None:
    request = head("/v1/x", AUTHORIZATION, "Content-Length: 6")
    reply = await reply_to(gateway, request, *(b"%d" % digit for digit in range(6)), pause=1.0)
    assert reply is not None
    assert reply.status == 200
    assert [came.body for came in pair.upstream.take()] == [b"012345"]


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_slow_reader_holds_the_upstream_back(
    pair: Pair, gateway: Gateway, framing: str
) -> None:
    body = b"0123456789abcdef" * (LARGE // 16)
    opening = b"HTTP/1.1 200 OK\r\n"
    if framing == "length":
        answer = opening + b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        chunks = (b"100000\r\n%b\r\n" % body[at : at + MIB] for at in range(0, LARGE, MIB))
        answer = opening + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + LAST
    pair.upstream.scripts["/v1/large"] = Script(answer)
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=65536)
    writer.write(ask("/v1/large"))
    async with asyncio.timeout(60):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        assert pair.upstream.unsent > LARGE / 2
        received = 0
        while received < LARGE:
            data = await reader.read(MIB)
            assert data
            received += len(data)
    writer.close()


async def test_a_reader_that_has_stopped_is_given_up(pair: Pair, gateway: Gateway) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE)
    pair.upstream.scripts["/v1/deaf"] = Script(answer)
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=65536)
    writer.write(ask("/v1/deaf"))
    async with asyncio.timeout(20):
        await reader.readuntil(b"\r\n\r\n")
        while pair.upstream.unsent:  # until the gateway closes both connections
            await asyncio.sleep(0.05)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(LARGE)
    writer.close()


async def test_a_client_that_leaves_frees_the_upstream(pair: Pair, gateway: Gateway) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE)
    pair.upstream.scripts["/v1/left"] = Script(answer)
    async with Line.open(gateway.url) as line:
        await line.send([ask("/v1/left")])
        async with asyncio.timeout(20):
            while not pair.upstream.unsent:
                await asyncio.sleep(0.01)
            line.reset()
            while pair.upstream.unsent:
                await asyncio.sleep(0.01)


async def test_connections_that_the_upstream_closes_cost_no_get(
    pair: Pair, gateway: Gateway
) -> None:
    """Whenever it closes them: a kept one may be closed just as it is used again."""
    for delay in (0.0, 0.001, 0.003):
        pair.upstream.scripts["/v1/closing"] = Script(USUAL, closes=True, lingers=delay)
        async with Line.open(gateway.url) as line:
            for _ in range(60):
                await line.send([ask("/v1/closing")])
                reply = await line.reply()
                assert reply is not None
                assert (reply.status, reply.body) == (200, b"{}")
