"""The end of a client's connection: its last answer arrives, and nothing begins after that."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.flows.client import PATIENCE
from tests.flows.raw import FORM_TYPE, form, head
from tests.flows.scripted import AUTHORIZATION, USUAL, Script, Scripted
from tests.hostile.talk import Line
from tests.servers.gateway import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024**2
LARGE = MIB
_LENGTH = b"Content-Length: %d\r\n\r\n"
BODY = form(b"x" * 1000)
UPLOAD = "/v1/channels/{}/messages"
_UPLOADED = f"Content-Length: {len(BODY)}"


class Ground:
    """One gateway in front of a scripted upstream."""

    def __init__(self, gateway: Gateway, upstream: Scripted) -> None:
        self.gateway = gateway
        self.upstream = upstream

    def request(self, kind: str, target: str, *headers: str) -> bytes:
        """A request of that kind, to a target that is scripted."""
        if kind == "upload":
            return head(target, AUTHORIZATION, FORM_TYPE, _UPLOADED, *headers) + BODY
        return head(target, AUTHORIZATION, *headers, method="GET")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fast", "plain"])
async def ground(
    request: pytest.FixtureRequest, environ: dict[str, str], servers_dir: Path
) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(Scripted.open())
        own = {
            **environ,
            "GATEWAY_UPSTREAM_URL": upstream.url,
            "GATEWAY_DELIVERY": "relay",
            "GATEWAY_AUTH": "static",
            "GATEWAY_ENGINE": request.param,
        }
        started = Gateway.start(own, servers_dir)
        gateway = await asyncio.to_thread(started.__enter__)
        stack.callback(started.__exit__, None, None, None)
        async with Line.open(gateway.url) as line:  # the token is known from now on
            await line.send([Ground(gateway, upstream).request("upload", UPLOAD.format(1))])
            assert await line.reply() is not None
        upstream.take()
        yield Ground(gateway, upstream)


KINDS = pytest.mark.parametrize(("kind", "target"), [("pass", "/v1/{}"), ("upload", UPLOAD)])


@KINDS
async def test_bytes_after_the_last_request_do_not_reset_its_answer(
    ground: Ground, kind: str, target: str
) -> None:
    """RFC 9112 section 9.6: unread bytes would turn the close into a reset."""
    target = target.format(2)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE)
    ground.upstream.scripts[target] = Script(answer)
    last = ground.request(kind, target, "Connection: close")
    async with Line.open(ground.gateway.url) as line:
        await line.send([last + b"GET /v1/behind HTTP/1.1\r\n" * 20_000])
        await asyncio.sleep(0.3)  # so that all of it has arrived before the answer is read
        reply = await line.reply()
        assert reply is not None
        assert (reply.status, len(reply.body)) == (200, LARGE)
    assert [came.opening.split(" ")[1] for came in ground.upstream.take()] == [target]


@KINDS
async def test_requests_wait_for_the_client_to_take_answers(
    ground: Ground, kind: str, target: str
) -> None:
    """Otherwise the gateway would hold all answers to a client that never reads."""
    target = target.format(3)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE)
    ground.upstream.scripts[target] = Script(answer)
    requests = ground.request(kind, target) * 100
    address = urlsplit(ground.gateway.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.settimeout(0.5)
        with suppress(TimeoutError):
            await asyncio.to_thread(client.sendall, requests)
        await asyncio.sleep(1)
        # What the kernels on both sides hold, and one that the gateway holds.
        assert 0 < len(ground.upstream.take()) < 20
    await asyncio.sleep(0.3)
    ground.upstream.take()


@KINDS
async def test_pipelined_requests_are_answered_in_order(
    ground: Ground, kind: str, target: str
) -> None:
    targets = [target.format(100 + number) for number in range(30)]
    for number, each in enumerate(targets):
        body = b"%d" % number * 20_000
        ground.upstream.scripts[each] = Script(b"HTTP/1.1 200 OK\r\n" + _LENGTH % len(body) + body)
    async with Line.open(ground.gateway.url) as line:
        await line.send([b"".join(ground.request(kind, each) for each in targets)])
        for number in range(len(targets)):
            reply = await line.reply()
            assert reply is not None
            assert reply.body == b"%d" % number * 20_000
    assert [came.opening.split(" ")[1] for came in ground.upstream.take()] == targets


@KINDS
async def test_no_request_begins_after_an_answer_that_was_cut(
    ground: Ground, kind: str, target: str
) -> None:
    cut, behind = target.format(4), target.format(5)
    begun = b"HTTP/1.1 200 OK\r\n" + _LENGTH % (4 * MIB) + bytes(2 * MIB)
    ground.upstream.scripts[cut] = Script(begun, closes=True)
    async with Line.open(ground.gateway.url) as line:
        await line.send([ground.request(kind, cut) + ground.request(kind, behind)])
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await line.reply()
    await asyncio.sleep(0.2)
    assert [came.opening.split(" ")[1] for came in ground.upstream.take()] == [cut]


@KINDS
async def test_nothing_begins_for_a_client_that_has_left(
    ground: Ground, kind: str, target: str
) -> None:
    large, behind = target.format(6), target.format(7)
    answer = b"HTTP/1.1 200 OK\r\n" + _LENGTH % (8 * MIB) + bytes(8 * MIB)
    ground.upstream.scripts[large] = Script(answer)
    async with Line.open(ground.gateway.url) as line:
        await line.send([ground.request(kind, large) + ground.request(kind, behind)])
        async with asyncio.timeout(PATIENCE):
            while not ground.upstream.came:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        line.reset()
    await asyncio.sleep(0.5)
    assert [came.opening.split(" ")[1] for came in ground.upstream.take()] == [large]
    async with Line.open(ground.gateway.url) as line:
        await line.send([ground.request("pass", "/v1/well")])
        reply = await line.reply()
        assert reply is not None
        assert reply.body == USUAL.partition(b"\r\n\r\n")[2]
    ground.upstream.take()


@pytest.mark.slow
async def test_refusals_wait_for_the_client_to_take_them(
    environ: dict[str, str], servers_dir: Path
) -> None:
    """Also those of a quota, which need no upstream, and no Redis if there is none."""
    nowhere = {"GATEWAY_REDIS_URL": "redis://127.0.0.1:1/0", "GATEWAY_AUTH": "static"}
    own = {**environ, **nowhere, "GATEWAY_SUBJECT_REQUESTS": "1"}
    request = head("/v1/users", AUTHORIZATION, method="GET")
    with Gateway.start(own, servers_dir) as gateway, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(0)
        address = urlsplit(gateway.url)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (address.hostname, address.port))
        sending = asyncio.create_task(loop.sock_sendall(client, request * 30_000))
        answered, before = 0, -1
        while answered > before:
            await asyncio.sleep(1)
            answered, before = gateway.log.read_bytes().count(b'"event":"request"'), answered
        sending.cancel()
        assert 0 < answered < 15_000  # what the kernels on both sides hold
