"""nginx and HAProxy with our configurations, as real programs, in front of real gateways."""

import asyncio
import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
from pydantic import HttpUrl
from yarl import URL

from gateway.doctor.front import check_front
from gateway.errors import ConfigurationError
from gateway.problems import Kind, chatkitty_error
from gateway.settings import Settings
from gateway.stack.ports import HOST, free_port
from tests.deploy.certificate import make_certificate
from tests.deploy.fronts import KINDS, Front, front
from tests.deploy.listener import Listener, break_off
from tests.deploy.tools import DEPLOY, Tools
from tests.flows import files
from tests.flows.client import Client
from tests.flows.test_events import stream, until_registered
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

MESSAGES = f"/v1/channels/{CHANNEL}/messages"
LARGE = bytes(range(256)) * 4 * 3072  # 3 MiB
HALF = b"x" * 100_000
ORIGIN = "https://app.example.com"
PATIENCE = 60.0

StartFront = Callable[..., Front]


@pytest.fixture(params=KINDS)
def start_front(
    request: pytest.FixtureRequest, tools: Tools, tmp_path: Path
) -> Iterator[StartFront]:
    with ExitStack() as stack:

        def start(*gateways: int, pem: Path | None = None) -> Front:
            one, other = gateways
            running = front(request.param, tools, tmp_path / "front", (one, other), pem)
            return stack.enter_context(running)

        yield start


@pytest.mark.usefixtures("worker")
async def test_requests_of_one_upload_may_go_to_any_gateway(
    start_front: StartFront, relay_gateway: Gateway, external_gateway: Gateway
) -> None:
    served = start_front(relay_gateway.port, external_gateway.port)
    async with Client.open(served.url, TOKENS["alice"]) as client:
        kinds = set()
        for _ in range(4):
            answer = await client.upload(MESSAGES, files.PNG)
            assert answer.status == 200, answer.body
            kinds.add(answer.json()["file"]["type"])
            for _ in range(2):
                resource = await client.resource(answer.upload_id)
                assert resource["id"] == answer.upload_id
        assert kinds == {"HOSTED", "EXTERNAL"}


@pytest.mark.usefixtures("worker")
async def test_a_large_file_arrives_whole(start_front: StartFront, relay_gateway: Gateway) -> None:
    served = start_front(relay_gateway.port, relay_gateway.port)
    async with Client.open(served.url, TOKENS["alice"]) as client:
        answer = await client.upload(MESSAGES, LARGE)
        assert answer.status == 200, answer.body
        assert answer.json()["file"]["size"] == len(LARGE)


async def test_a_websocket_passes_in_both_directions(
    start_front: StartFront, relay_gateway: Gateway
) -> None:
    served = start_front(relay_gateway.port, relay_gateway.port)
    async with (
        asyncio.timeout(PATIENCE),
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{served.url}/rtm/websocket?api-key=k", protocols=("v12.stomp",), origin=ORIGIN
        ) as socket,
    ):
        assert socket.protocol == "v12.stomp"
        await socket.send_str("CONNECT\nStompX-User:jane@chatkitty.com\n\n\0")
        assert (await socket.receive_str()).startswith("CONNECTED\n")


@pytest.mark.usefixtures("worker")
async def test_an_event_passes_while_its_stream_is_open(
    start_front: StartFront, external_gateway: Gateway
) -> None:
    served = start_front(external_gateway.port, external_gateway.port)
    async with (
        Client.open(served.url, TOKENS["alice"]) as client,
        stream(client, "/gateway/events") as events,
    ):
        sent = await client.upload(MESSAGES, files.PNG)
        assert sent.status == 200, sent.body
        await until_registered(events, sent.upload_id)


async def test_a_page_of_another_origin_can_send_and_read(
    start_front: StartFront, start_gateway: StartGateway
) -> None:
    allowing = start_gateway(delivery="relay", cors_origins=ORIGIN)
    served = start_front(allowing.port, allowing.port)
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    async with aiohttp.ClientSession() as session:
        async with session.options(served.url + MESSAGES, headers=asked) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        async with session.get(served.url + MESSAGES, headers={"Origin": ORIGIN}) as answer:
            assert answer.status == 401
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


async def test_a_refusal_reaches_the_client_before_its_body_is_read(
    start_front: StartFront, relay_gateway: Gateway
) -> None:
    served = start_front(relay_gateway.port, relay_gateway.port)
    reader, writer = await asyncio.open_connection(HOST, served.port)
    head = _head(len(HALF), 'Content-Type: multipart/form-data; boundary="b"\r\n')
    writer.write(head + HALF[:1000])
    async with asyncio.timeout(PATIENCE):
        answer = await reader.readuntil(b"\r\n")
    writer.close()
    assert b" 401 " in answer


@pytest.mark.usefixtures("worker")
async def test_the_front_terminates_tls(
    start_front: StartFront, external_gateway: Gateway, tmp_path: Path
) -> None:
    pem = make_certificate(tmp_path / "gateway.pem")
    served = start_front(external_gateway.port, external_gateway.port, pem=pem)
    context = ssl.create_default_context(cafile=str(pem))
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(f"{served.url}/gateway/healthz") as answer,
    ):
        assert answer.status == 200


async def test_a_body_is_passed_on_while_it_arrives(start_front: StartFront) -> None:
    async with Listener.open(end=b"the end") as one:
        served = start_front(one.port, one.port)
        reader, writer = await asyncio.open_connection(HOST, served.port)
        writer.write(_head(len(HALF) + len(b"the end")) + HALF)
        await one.until(len(HALF))
        writer.write(b"the end")
        assert b" 200 " in await reader.readuntil(b"\r\n")
        writer.close()


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET", "PUT", "DELETE"])
async def test_uploads_and_other_unrepeatable_requests_are_sent_once(
    start_front: StartFront, method: str
) -> None:
    data = b"\r\n\r\n" if method in ("POST", "PATCH", "PUT") else None
    async with Listener.open(break_off) as one, Listener.open(break_off) as other:
        served = start_front(one.port, other.port)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, served.url + MESSAGES, data=data) as answer,
        ):
            assert answer.status == 502
        # nginx repeats what may be repeated (RFC 9110 section 9.2.2), HAProxy nothing.
        times = 2 if served.kind == "nginx" and method in ("GET", "PUT", "DELETE") else 1
        assert len(one.requests) + len(other.requests) == times


async def test_a_gateway_that_is_down_fails_no_request(
    start_front: StartFront, relay_gateway: Gateway
) -> None:
    served = start_front(free_port(), relay_gateway.port)
    async with Client.open(served.url, TOKENS["alice"]) as client:
        answers = [await client.upload(MESSAGES, files.PNG) for _ in range(6)]
        assert {answer.status for answer in answers} == {200}


async def test_addresses_that_clients_claim_are_not_passed_on(start_front: StartFront) -> None:
    async with Listener.open() as one:
        served = start_front(one.port, one.port)
        claims = {
            "X-Forwarded-For": "6.6.6.6",
            "Forwarded": "for=6.6.6.6",
            "X-Forwarded-Proto": "https",
        }
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{served.url}/v1/users", headers=claims) as answer,
        ):
            assert answer.status == 200
        (request,) = one.requests
        lines = bytes(request).lower().split(b"\r\n")
        assert sorted(line for line in lines if b"forwarded" in line) == [
            b"x-forwarded-for: 127.0.0.1",
            b"x-forwarded-proto: http",
        ]


async def test_nothing_secret_is_logged(start_front: StartFront) -> None:
    async with Listener.open() as one:
        served = start_front(one.port, one.port)
        async with aiohttp.ClientSession() as session:
            for path in (
                "/v1/users?grant=hush-grant",
                "/gateway/files/hush-token/cat.png?grant=hush",
                "/%67ateway/Files;x/hush-token/cat.png",
            ):
                async with session.get(URL(served.url + path, encoded=True)) as answer:
                    assert answer.status == 200
    await _until_logged(served, "/v1/users")
    await _until_logged(served, "/gateway/files/-")
    assert "hush" not in served.logged()


async def _until_logged(served: Front, words: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while words not in served.logged():
            await asyncio.sleep(0.05)


async def test_the_fronts_own_errors_are_problems(start_front: StartFront) -> None:
    async with Listener.open(break_off) as one:
        served = start_front(one.port, one.port)
        broken = await _asked(served, _head(0))
        assert _problem(broken, 502) == ("gateway-unavailable", "unknown")
    absent = await _asked(served, _head(0))
    status = 502 if served.kind == "nginx" else 503
    assert _problem(absent, status) == ("gateway-unavailable", None)
    if served.kind == "nginx":  # HAProxy answers these before it knows its own configuration
        line = b"X: " + b"x" * 9000 + b"\r\n\r\n"
        assert _problem(await _asked(served, b"GET / HTTP/1.1\r\nHost: x\r\n" + line), 431)
        assert _problem(await _asked(served, b"GET /" + line[3:]), 431)
        for malformed in (b"GARBAGE\r\n\r\n", b"GET /a.jpg HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"):
            answer = await _asked(served, malformed)
            assert _problem(answer, 400) == ("malformed-request", None)


async def _asked(served: Front, request: bytes) -> bytes:
    """The whole answer to these bytes."""
    reader, writer = await asyncio.open_connection(HOST, served.port)
    writer.write(request.replace(b"Host:", b"Connection: close\r\nHost:", 1))
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    return answer


def _problem(answer: bytes, status: int) -> tuple[str, str | None]:
    """The slug and the outcome of a problem that has all members of a gateway's."""
    head, _, body = answer.decode().partition("\r\n\r\n")
    head = head.lower()
    members = json.loads(body)
    kind = Kind(status, members["type"].rpartition(":")[2], members["title"])
    assert f"http/1.1 {status} " in head, answer
    assert "content-type: application/problem+json" in head
    assert ("retry-after: 2" in head) == (status >= 500)
    assert members["status"] == status
    assert members["type"].startswith("urn:problem-type:chatkitty-gateway:")
    assert members["error"] == chatkitty_error(kind)
    assert members["message"] == members["title"]
    return kind.slug, members.get("outcome")


def test_both_fronts_have_the_same_error_texts() -> None:
    told = re.compile(r'"type": .*?"message": "[^"]*"')
    nginx, haproxy = (
        set(told.findall((DEPLOY / name).read_text())) for name in ("nginx.conf", "haproxy.cfg")
    )
    assert haproxy
    assert haproxy <= nginx


async def test_which_front_sends_100_continue_for_a_body_that_will_be_refused(
    start_front: StartFront, relay_gateway: Gateway
) -> None:
    served = start_front(relay_gateway.port, relay_gateway.port)
    more = 'Expect: 100-continue\r\nContent-Type: multipart/form-data; boundary="b"\r\n'
    reader, writer = await asyncio.open_connection(HOST, served.port)
    writer.write(_head(len(HALF), more))
    async with asyncio.timeout(PATIENCE):
        answer = await reader.readuntil(b"\r\n")
    writer.close()
    assert (b" 100 " if served.kind == "nginx" else b" 401 ") in answer


async def test_doctor_finds_out_whether_interim_responses_pass(
    start_front: StartFront, start_gateway: StartGateway
) -> None:
    on = start_gateway(delivery="external", interim_responses="true")
    served = start_front(on.port, on.port)
    if served.kind == "nginx":
        with pytest.raises(ConfigurationError, match="switch GATEWAY_INTERIM_RESPONSES off"):
            await check_front(HttpUrl(served.url))
    else:
        assert await check_front(HttpUrl(served.url)) == []


def _head(length: int, more: str = "") -> bytes:
    lines = f"POST {MESSAGES} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length}\r\n{more}\r\n"
    return lines.encode()


def test_nginx_closes_an_idle_connection_before_the_gateway_does() -> None:
    (kept,) = re.findall(r"\bkeepalive_timeout (\d+)s;", (DEPLOY / "nginx.conf").read_text())
    assert int(kept) < Settings.model_fields["idle_timeout"].default
