"""Messages reach real receivers, whatever those answer, and nothing else."""

import asyncio
import json
import socket
from typing import Any

import pytest
from aiohttp import web

from gateway.choices import WebhookFormat
from gateway.stack.ports import free_port
from gateway.webhooks.addresses import Allowed
from gateway.webhooks.endpoints import Endpoint
from gateway.webhooks.sender import LARGEST_ANSWER, Sender
from gateway.webhooks.signing import key_of
from tests.flows.client import PATIENCE
from tests.gateway.webhooks.test_addresses import LOOPBACK, NEVER
from tests.servers.receiver import SECRET, Received, Receiver, receiving, status

BODY = json.dumps({"type": "upload.registered"}).encode()
LOCAL = Allowed(loopback=True)


def endpoint(url: str) -> Endpoint:
    return Endpoint("e", url, ("upload.*",), (key_of(SECRET),), WebhookFormat.STANDARD)


async def test_a_message_arrives_signed() -> None:
    async with receiving() as receiver, Sender.open(LOCAL) as sender:
        for _ in range(2):
            assert (await sender.send(endpoint(receiver.url), "msg_1", BODY)).succeeded
        for each in receiver.received:
            assert each.verified() == json.loads(BODY)
            assert each.headers["webhook-id"] == "msg_1"
            assert each.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("code", [301, 302, 307, 308, 400, 410, 429, 500, 503])
async def test_what_is_no_success_is_reported(code: int) -> None:
    async with receiving() as receiver, receiving() as other, Sender.open(LOCAL) as sender:
        receiver.answer = status(code, Location=other.url, Retry_After="7")
        report = await sender.send(endpoint(receiver.url), "msg_1", BODY)
        assert not report.succeeded
        assert (report.status, report.retry_after, report.detail) == (code, "7", "no thanks")
        assert len(receiver.received) == 1
        assert other.received == []


async def test_a_receiver_that_is_silent_is_left() -> None:
    async def silent(_: Received) -> web.StreamResponse:
        await asyncio.sleep(PATIENCE)
        raise AssertionError

    async with receiving() as receiver, Sender.open(LOCAL, seconds=0.2) as sender:
        receiver.answer = silent
        report = await sender.send(endpoint(receiver.url), "msg_1", BODY)
        assert (report.status, report.detail) == (None, "the receiver did not answer in time")


async def test_a_receiver_that_is_down_is_reported() -> None:
    async with Sender.open(LOCAL) as sender:
        url = f"http://127.0.0.1:{free_port()}/"
        report = await sender.send(endpoint(url), "msg_1", BODY)
        assert report.status is None
        assert report.detail


async def test_an_endless_answer_is_not_read() -> None:
    async def endless(_: Received) -> web.StreamResponse:
        return web.Response(status=500, body=b"\1" * (64 * LARGEST_ANSWER))

    async with receiving() as receiver, Sender.open(LOCAL) as sender:
        receiver.answer = endless
        report = await sender.send(endpoint(receiver.url), "msg_1", BODY)
        assert (report.status, report.detail) == (500, "")


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b"", b"HTTP/1.1 200", b"\0" * 100_000])
async def test_garbage_is_no_success(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, Sender.open(LOCAL) as sender:
        port = server.sockets[0].getsockname()[1]
        report = await sender.send(endpoint(f"http://127.0.0.1:{port}/"), "msg_1", BODY)
        assert not report.succeeded


async def refused(receiver: Receiver, url: str, allowed: Allowed) -> None:
    async with Sender.open(allowed) as sender:
        report = await sender.send(endpoint(url), "msg_1", BODY)
    assert report.status is None
    # aiohttp itself refuses numbers that are no address in the usual form.
    assert "is the loopback" in report.detail or "not a canonical IPv4" in report.detail
    assert receiver.received == []


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0x7f000001"),
        *("localhost.", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        *("[::1%25lo]", "[::1%lo]", "LOCALHOST", "\uff11\uff12\uff17.0.0.1", "127.0.0.1%2e"),
    ],
)
async def test_the_loopback_is_not_reached(host: str) -> None:
    async with receiving() as receiver:
        async with Sender.open(Allowed()) as sender:
            report = await sender.send(endpoint(f"http://{host}:{receiver.port}/"), "msg_1", BODY)
        assert report.status is None
        assert receiver.received == []
        assert "Connect call failed" not in report.detail  # it was not even tried


async def test_a_name_that_leads_elsewhere_by_now_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is checked is what is connected to: the second answer of a resolver is checked, too."""
    looked_up: list[str] = []

    async with receiving() as receiver:
        loop = asyncio.get_running_loop()

        async def rebinding(host: str, port: int, **_: Any) -> list[Any]:
            looked_up.append(host)
            # First a private address on which nothing answers, then the loopback.
            address = "127.0.0.1" if len(looked_up) > 1 else "192.0.2.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(loop, "getaddrinfo", rebinding)
        url = f"http://rebinding.example:{receiver.port}/"
        async with Sender.open(Allowed(), seconds=0.2) as sender:
            first = await sender.send(endpoint(url), "msg_1", BODY)
            assert first.status is None
        await refused(receiver, url, Allowed())
        assert len(looked_up) == 2


@pytest.mark.parametrize("address", [*NEVER, *LOOPBACK])
async def test_no_name_leads_to_an_address_that_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leading(_: str, port: int, **__: Any) -> list[Any]:
        if ":" not in address:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", leading)
    async with Sender.open(Allowed(), seconds=PATIENCE) as sender:
        report = await sender.send(endpoint("https://backend.example/"), "msg_1", BODY)
    assert report.status is None
    assert address.partition("%")[0] in report.detail
    assert "is link-local" in report.detail or "is the loopback" in report.detail


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver, receiving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        async with Sender.open(LOCAL) as sender:
            assert (await sender.send(endpoint(receiver.url), "msg_1", BODY)).succeeded
        assert (len(receiver.received), proxy.received) == (1, [])
