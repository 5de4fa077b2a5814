"""WebSockets pass through, byte for byte, by either engine."""

import asyncio
import os
import re
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.listening import vanish
from gateway.stack.ports import HOST, free_port
from tests.flows.raw import exchange, head
from tests.gateway.delivery.tunnel.test_frames import frame
from tests.servers import metrics
from tests.servers.certificate import self_signed
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS

PATIENCE = 60.0
HANDSHAKE = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: v12.stomp",
    "Origin: https://app.example.com",
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, X-Hop\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Hop: 1\r\n"
    b"Sec-WebSocket-Protocol: v12.stomp\r\n\r\n"
)
CLOSED = b"\x88\x02\x03\xe9"
"""Going away, to a client."""

PATH = "/rtm/websocket?api-key=k"
ROUTES = """
[[routes]]
path = "/v1/scoped/**"
scopes = ["chat"]
"""


@dataclass
class Peer:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def read(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """All until the end."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    def half_close(self) -> None:
        self.writer.write_eof()

    def close(self) -> None:
        self.writer.close()


class Upstream:
    """A server that does nothing by itself: the test has each of its connections."""

    def __init__(self) -> None:
        self._accepted: asyncio.Queue[Peer] = asyncio.Queue()
        self._peers: list[Peer] = []

    @classmethod
    @asynccontextmanager
    async def listen(
        cls, port: int, tls: ssl.SSLContext | None = None
    ) -> "AsyncIterator[Upstream]":
        upstream = cls()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = Peer(reader, writer)
            upstream._peers.append(peer)
            upstream._accepted.put_nowait(peer)

        server = await asyncio.start_server(accept, HOST, port, ssl=tls)
        try:
            yield upstream
        finally:
            server.close()
            for peer in upstream._peers:  # or the gateway would use one again
                peer.close()

    async def accept(self) -> Peer:
        async with asyncio.timeout(PATIENCE):
            return await self._accepted.get()


@pytest.fixture(scope="module")
def upstream_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("websockets") / "gateway.toml"
    file.write_text(ROUTES)
    return file


@pytest.fixture(scope="module", params=["fast", "plain"])
def gateway(
    request: pytest.FixtureRequest,
    environ: dict[str, str],
    servers_dir: Path,
    upstream_port: int,
    config: Path,
) -> Iterator[Gateway]:
    settings = {
        "GATEWAY_UPSTREAM_URL": f"http://{HOST}:{upstream_port}",
        "GATEWAY_ENGINE": request.param,
        "GATEWAY_CONFIG": str(config),
    }
    with Gateway.start({**environ, **settings}, servers_dir) as started:
        yield started


@pytest.fixture
async def upstream(upstream_port: int) -> AsyncIterator[Upstream]:
    async with Upstream.listen(upstream_port) as listening:
        yield listening


CLIENTS: list[Peer] = []


@pytest.fixture(autouse=True)
async def _hung_up() -> AsyncIterator[None]:
    """Closes the clients of the test at its end."""
    yield
    while CLIENTS:
        CLIENTS.pop().close()


async def connect(gateway: Gateway) -> Peer:
    client = Peer(*await asyncio.open_connection(HOST, gateway.port))
    CLIENTS.append(client)
    return client


async def ask(gateway: Gateway, *more: str, early: bytes = b"") -> Peer:
    """A client that has sent its handshake."""
    client = await connect(gateway)
    await client.send(head(PATH, *HANDSHAKE, *more, method="GET") + early)
    return client


async def tunnel(gateway: Gateway, upstream: Upstream) -> tuple[Peer, Peer]:
    """Both ends of an open WebSocket."""
    client = await ask(gateway)
    server = await upstream.accept()
    await server.head()
    await server.send(SWITCHED)
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    return client, server


def fields(head: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in head.decode("latin-1").split("\r\n")[1:-2]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), []).append(value)
    return found


async def test_websockets_carry_the_bytes_that_were_sent(
    gateway: Gateway, upstream: Upstream
) -> None:
    client = await ask(gateway, "X-Request-Id: mine", "X-Forwarded-For: 6.6.6.6", early=b"early")
    server = await upstream.accept()
    asked = await server.head()
    assert asked.startswith(b"GET /rtm/websocket?api-key=k HTTP/1.1\r\n")
    sent = fields(asked)
    assert sent["connection"] == ["Upgrade"]
    assert sent["upgrade"] == ["websocket"]
    assert sent["origin"] == ["https://app.example.com"]
    assert sent["sec-websocket-protocol"] == ["v12.stomp"]
    assert not {"x-forwarded-for", "authorization", "content-length"} & set(sent)
    await server.send(SWITCHED + b"tail")
    answered = fields(await client.head())
    assert answered["connection"] == ["Upgrade"]
    assert answered["upgrade"] == ["websocket"]
    assert answered["sec-websocket-accept"] == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    assert answered["x-request-id"] == ["mine"]
    assert not {"x-hop", "content-length", "transfer-encoding"} & set(answered)
    assert await client.read(4) == b"tail"
    assert await server.read(5) == b"early"
    for sender, receiver in ((client, server), (server, client)):
        data = os.urandom(3_000_000)
        sending = asyncio.create_task(sender.send(data))
        assert await receiver.read(len(data)) == data
        await sending
    client.close()
    assert await server.rest() == b""
    server.close()


async def test_a_refused_handshake_is_passed_on_unchanged(
    gateway: Gateway, upstream: Upstream
) -> None:
    client = await ask(gateway)
    server = await upstream.accept()
    await server.head()
    answer = (
        b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\nX-Why: 1\r\nConnection: close\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n"
    )
    await server.send(answer)
    told = await client.head()
    assert told.startswith(b"HTTP/1.1 403 No\r\n")
    assert fields(told)["x-why"] == ["1"]
    assert await client.rest() == b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize("protocol", [b"h2c", b"x"])
async def test_a_switch_to_another_protocol_is_refused(
    gateway: Gateway, upstream: Upstream, protocol: bytes
) -> None:
    client = await ask(gateway)
    server = await upstream.accept()
    await server.head()
    await server.send(SWITCHED.replace(b"WebSocket\r\n", protocol + b"\r\n"))
    assert (await client.head()).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(
    ("request_line", "lines"),
    [
        ("GET / HTTP/1.1", HANDSHAKE[1:]),  # no Connection: Upgrade
        ("GET / HTTP/1.0", HANDSHAKE),
        ("POST / HTTP/1.1", HANDSHAKE),
        ("GET / HTTP/1.1", (*HANDSHAKE, "Content-Length: 2")),
        ("GET / HTTP/1.1", ("Connection: Upgrade", "Upgrade: h2c")),
    ],
)
async def test_an_invalid_handshake_passes_without_its_upgrade(
    gateway: Gateway, upstream: Upstream, request_line: str, lines: tuple[str, ...]
) -> None:
    client = await connect(gateway)
    await client.send("\r\n".join([request_line, "Host: x", *lines, "", "{}"]).encode())
    server = await upstream.accept()
    assert not {"upgrade", "connection"} & set(fields(await server.head()))
    await server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert (await client.head()).split(b" ")[1] == b"200"
    server.close()


async def test_a_route_can_require_a_token(gateway: Gateway) -> None:
    path = "/v1/scoped/socket"
    refused = await exchange(gateway.url, head(path, *HANDSHAKE, method="GET"))
    assert refused.status == 401
    token = f"Authorization: Bearer {TOKENS['alice']}"
    refused = await exchange(gateway.url, head(path, *HANDSHAKE, token, method="GET"))
    assert refused.status == 403


async def test_a_half_closed_side_still_receives(gateway: Gateway, upstream: Upstream) -> None:
    client, server = await tunnel(gateway, upstream)
    await client.send(b"last words")
    client.half_close()
    assert await server.rest() == b"last words"
    await server.send(b"answer")
    server.half_close()
    assert await client.rest() == b"answer"


async def test_all_bytes_arrive_before_the_end(gateway: Gateway, upstream: Upstream) -> None:
    client, server = await tunnel(gateway, upstream)
    data = os.urandom(2_000_000)
    sending = asyncio.create_task(server.send(data))
    first = await client.read(1000)
    await sending
    server.close()
    assert first + await client.rest() == data


async def written_until_full(sender: Peer, piece: bytes) -> int:
    """How many pieces are accepted before the next one waits for two seconds."""
    sender.writer.transport.set_write_buffer_limits(1)
    for taken in range(64):
        sender.writer.write(piece)
        try:
            async with asyncio.timeout(2):
                await sender.writer.drain()
        except TimeoutError:
            return taken
    return 64


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["to client", "to server"])
async def test_a_slow_reader_slows_the_sender_down(
    gateway: Gateway, upstream: Upstream, direction: str
) -> None:
    client, server = await tunnel(gateway, upstream)
    sender, receiver = (server, client) if direction == "to client" else (client, server)
    piece = bytes(1024 * 1024)
    taken = await written_until_full(sender, piece)
    # The rest is in the kernel's buffers: four of them, with what they may grow to.
    assert taken < 32
    sending = asyncio.create_task(sender.send(b""))
    assert await receiver.read((taken + 1) * len(piece)) == bytes((taken + 1) * len(piece))
    await sending
    client.close()
    server.close()


async def test_a_streamed_answer_is_not_held_back(gateway: Gateway, upstream: Upstream) -> None:
    """The fallbacks of SockJS: `eventsource` is a GET, `xhr_streaming` a POST."""
    opening = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    for method, kind in (("GET", "eventsource"), ("POST", "xhr_streaming"), ("POST", "xhr")):
        client = await connect(gateway)
        path = f"/rtm/123/session/{kind}?api-key=k"
        await client.send(head(path, "Content-Length: 0", method=method))
        server = await upstream.accept()
        assert (await server.head()).startswith(f"{method} {path} ".encode())
        await server.send(opening)
        assert b"text/event-stream" in await client.head()
        for piece in (b"o\n", b"h\n", b'a["x"]\n'):
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
            await server.send(chunk)
            assert await client.read(len(chunk)) == chunk
        await server.send(b"0\r\n\r\n")
        assert await client.read(5) == b"0\r\n\r\n"
        client.close()
        server.close()


# --- with settings of their own ------------------------------------------------------------------


async def assert_says_goodbye(client: Peer, server: Peer) -> None:
    """Both sides get a frame that closes, the server a masked one, and then the end."""
    assert await client.rest() == CLOSED
    told = await server.rest()
    mask, payload = told[2:6], told[6:]
    assert told[:2] == b"\x88\x82"
    assert bytes(a ^ b for a, b in zip(payload, mask, strict=False)) == CLOSED[2:]


@pytest.mark.parametrize("setting", ["websocket_idle_timeout", "websocket_lifetime"])
async def test_a_websocket_ends_after_a_while(start_gateway: StartGateway, setting: str) -> None:
    port = free_port()
    gateway = start_gateway(upstream_url=f"http://{HOST}:{port}", **{setting: "0.5"})
    async with Upstream.listen(port) as upstream:
        client, server = await tunnel(gateway, upstream)
        await assert_says_goodbye(client, server)
        client.close()
        server.close()
    reason = setting.removeprefix("websocket_").removesuffix("_timeout")
    await metrics.until(
        gateway.admin_url, lambda found: found.value("websockets_closed_total", reason=reason) == 1
    )


async def test_a_client_that_does_not_read_is_cut_off(start_gateway: StartGateway) -> None:
    port = free_port()
    gateway = start_gateway(upstream_url=f"http://{HOST}:{port}", answer_timeout="1")
    async with Upstream.listen(port) as upstream:
        client, server = await tunnel(gateway, upstream)
        sending = asyncio.create_task(server.send(bytes(64 * 1024 * 1024)))
        await metrics.until(
            gateway.admin_url,
            lambda found: found.value("websockets_closed_total", reason="stuck") == 1,
        )
        with pytest.raises(ConnectionError):
            await sending
        client.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel drops packets by a filter of Linux")
@pytest.mark.parametrize("which", ["client", "server"])
async def test_a_peer_that_vanished_is_cut_off(start_gateway: StartGateway, which: str) -> None:
    """Nothing that is sent to it is acknowledged, as if its network was gone."""
    port = free_port()
    limits = {"answer_timeout": "1", "upstream_timeout": "3"}
    gateway = start_gateway(upstream_url=f"http://{HOST}:{port}", **limits)
    async with Upstream.listen(port) as upstream:
        client, server = await tunnel(gateway, upstream)
        gone, left = (client, server) if which == "client" else (server, client)
        vanish(gone.writer.get_extra_info("socket"))
        await left.send(frame(1, b"hello?", masked=which == "server"))
        await metrics.until(gateway.admin_url, lambda found: found.value("websockets") == 0)
        client.close()
        server.close()


@pytest.mark.parametrize("setting", ["max_websockets", "max_websockets_per_address"])
async def test_websockets_above_the_limit_are_refused(
    start_gateway: StartGateway, setting: str
) -> None:
    port = free_port()
    gateway = start_gateway(upstream_url=f"http://{HOST}:{port}", **{setting: "1"})
    async with Upstream.listen(port) as upstream:
        client, server = await tunnel(gateway, upstream)
        refused = await exchange(gateway.url, head(PATH, *HANDSHAKE, method="GET"))
        assert refused.status == 503
        assert b"Retry-After: 5" in refused.data
        client.close()
        server.close()
        await metrics.until(gateway.admin_url, lambda found: found.value("websockets") == 0)
        client, server = await tunnel(gateway, upstream)
        client.close()
        server.close()


async def test_websockets_can_be_switched_off(start_gateway: StartGateway) -> None:
    gateway = start_gateway(websockets="false")
    refused = await exchange(gateway.url, head(PATH, *HANDSHAKE, method="GET"))
    assert refused.status == 501
    assert b"no-websockets" in refused.body


async def test_a_gateway_that_stops_ends_websockets_between_two_frames(
    start_gateway: StartGateway,
) -> None:
    port = free_port()
    gateway = start_gateway(upstream_url=f"http://{HOST}:{port}")
    async with Upstream.listen(port) as upstream:
        idle = await tunnel(gateway, upstream)
        busy, busy_server = await tunnel(gateway, upstream)
        closed, closed_server = await tunnel(gateway, upstream)
        whole = frame(1, b"x" * 300, masked=False)
        await busy_server.send(whole[:100])
        assert await busy.read(100) == whole[:100]
        last = frame(8, b"\x03\xe8", masked=False)
        await closed_server.send(last)
        assert await closed.read(len(last)) == last
        os.kill(gateway.pid, signal.SIGTERM)
        await assert_says_goodbye(*idle)
        await busy_server.send(whole[100:] + whole)
        assert await busy.rest() == whole[100:] + CLOSED
        assert await closed.rest() == b""
        for peer in (*idle, busy, busy_server, closed, closed_server):
            peer.close()
        async with asyncio.timeout(PATIENCE):
            while "gateway.drained" not in (log := gateway.log.read_text()):
                await asyncio.sleep(0.02)
    assert re.search(r'"left":0,"event":"gateway.drained"', log)


async def test_chatkitty_is_reached_over_tls(environ: dict[str, str], servers_dir: Path) -> None:
    certificate = self_signed(servers_dir / "websockets.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    port = free_port()
    settings = {
        "GATEWAY_UPSTREAM_URL": f"https://{HOST}:{port}",
        "SSL_CERT_FILE": str(certificate),
    }
    with Gateway.start({**environ, **settings}, servers_dir) as gateway:
        await talk_over_tls(gateway, port, tls)


async def talk_over_tls(gateway: Gateway, port: int, tls: ssl.SSLContext) -> None:
    async with Upstream.listen(port, tls) as upstream:
        client, server = await tunnel(gateway, upstream)
        for sender, receiver in ((client, server), (server, client)):
            data = os.urandom(2_000_000)
            sending = asyncio.create_task(sender.send(data))
            assert await receiver.read(len(data)) == data
            await sending
        await server.send(b"bye")
        server.close()
        assert await client.rest() == b"bye"
