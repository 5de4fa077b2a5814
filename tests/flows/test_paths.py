"""Paths are read in one way: the upstream gets the path that was decided on, in both engines."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.errors import GatewayError
from gateway.server.fields.target import read_target, upstream_path
from tests.flows import files
from tests.flows.client import Client
from tests.flows.raw import FORM_TYPE, RawAnswer, exchange, form, head
from tests.flows.recorder import Recorder, recording
from tests.gateway.server.fields.spellings import spellings
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox

PATH = "/v1/channels/702/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
CLOSE = "Connection: close"
PREFLIGHT = ("Origin: https://chat.example", "Access-Control-Request-Method: POST")
SCOPED = """
[[routes]]
path = "/v1/scoped/**"
scopes = ["chat"]
"""
HOSTED = """
[[routes]]
path = "/v1/channels/*/messages"
delivery = "external"
allowed_types = ["image/*"]
"""


@dataclass(frozen=True)
class Gateways:
    """The same gateway with either engine, in front of the same upstream."""

    each: tuple[Gateway, Gateway]
    upstream: Recorder


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("paths") / "gateway.toml"
    file.write_text(SCOPED)
    return file


@pytest.fixture(scope="module")
def gateways(environ: dict[str, str], servers_dir: Path, config: Path) -> Iterator[Gateways]:
    with recording() as upstream:
        common = {
            **environ,
            "GATEWAY_UPSTREAM_URL": upstream.url,
            "GATEWAY_DELIVERY": "relay",
            "GATEWAY_CONFIG": str(config),
        }
        with (
            Gateway.start({**common, "GATEWAY_ENGINE": "fast"}, servers_dir) as fast,
            Gateway.start({**common, "GATEWAY_ENGINE": "plain"}, servers_dir) as plain,
        ):
            yield Gateways((fast, plain), upstream)


def upload(path: str, method: str = "POST") -> bytes:
    body = form(files.PNG)
    length = f"Content-Length: {len(body)}"
    return head(path, AUTHORIZATION, FORM_TYPE, length, CLOSE, method=method) + body


def asked(path: str, *headers: str, method: str = "GET") -> bytes:
    return head(path, *headers, CLOSE, method=method)


def header(answer: RawAnswer, name: str) -> str | None:
    lines = answer.data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    found = [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name}: ")]
    return found[0] if found else None


def problem(answer: RawAnswer) -> str:
    slug: str = json.loads(answer.body)["type"].rpartition(":")[2]
    return slug


SPELLINGS = [
    (PATH, PATH),
    (f"{PATH}/?a=%2F;b", f"{PATH}/?a=%2F;b"),
    ("/v1/channel%73/%3702/messages?x=%41", "/v1/channels/702/messages?x=%41"),
    ("/v1/picture/a%20b%3a%c3%a9+c@d.", "/v1/picture/a%20b%3A%C3%A9+c@d."),
    (f"/{PATH}", None),
    (f"{PATH};x=y", None),
    ("/v1/x/..;/channels/702/messages", None),
    ("/v1/channels%2F702/messages", None),
    (f"{PATH}%20", None),
    (f"{PATH}%00", None),
    (f"{PATH}%0a", None),
    (f"{PATH}/%e9", None),
    (f"{PATH}/%", None),
]


@pytest.mark.parametrize(("written", "sent"), SPELLINGS)
async def test_a_path_is_sent_as_it_was_read_or_refused(
    gateways: Gateways, written: str, sent: str | None
) -> None:
    for gateway in gateways.each:
        for request in (upload(written), asked(written, AUTHORIZATION)):
            gateways.upstream.take()
            answer = await exchange(gateway.url, request)
            if sent is None:
                assert answer.status == 400
                assert problem(answer) == "malformed-target"
            else:
                assert answer.status == 200
            assert [seen.target for seen in gateways.upstream.take()] == [sent] * (sent is not None)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(written=spellings(PATH))
def test_both_engines_and_the_pass_through_read_alike(gateways: Gateways, written: str) -> None:
    requests = [upload(written), asked(written, AUTHORIZATION)]
    try:
        sent = [upstream_path(read_target(written), gateways.upstream.url)]
    except GatewayError:
        sent = []
    if any(character in written for character in " \x00"):
        return
    for gateway in gateways.each:
        for request in requests:
            gateways.upstream.take()
            answer = asyncio.run(exchange(gateway.url, request))
            assert answer.status == (200 if sent else 400)
            assert [seen.target for seen in gateways.upstream.take()] == sent


async def test_a_refusal_reaches_a_client_that_is_still_sending(gateways: Gateways) -> None:
    body = form(bytes(3_000_000))
    length = f"Content-Length: {len(body)}"
    for gateway in gateways.each:
        answer = await exchange(
            gateway.url, head(f"/{PATH}", AUTHORIZATION, FORM_TYPE, length), body
        )
        assert answer.status == 400
        assert problem(answer) == "malformed-target"


async def test_a_preflight_needs_no_token(gateways: Gateways) -> None:
    preflight = asked("/v1/scoped/x", *PREFLIGHT, method="OPTIONS")
    others = [
        asked("/v1/scoped/x", *PREFLIGHT),
        asked("/v1/scoped/x", PREFLIGHT[0], method="OPTIONS"),
        asked("/v1/scoped/x", PREFLIGHT[1], method="OPTIONS"),
        asked("/v1/scoped/x", *PREFLIGHT, "Content-Type: text/plain", method="OPTIONS"),
        asked("/v1/scoped/x", *PREFLIGHT, "Authorization: Bearer nobody", method="OPTIONS"),
        asked("/v1/scoped/x", *PREFLIGHT, FORM_TYPE, method="OPTIONS"),
        asked("/v1/scoped/x", *PREFLIGHT, "Content-Length: 2", method="OPTIONS") + b"{}",
        upload("/v1/scoped/x", "OPTIONS"),
    ]
    for gateway in gateways.each:
        gateways.upstream.take()
        assert (await exchange(gateway.url, preflight)).status == 200
        [seen] = gateways.upstream.take()
        assert (seen.method, seen.target) == ("OPTIONS", "/v1/scoped/x")
        for other in others:
            assert (await exchange(gateway.url, other)).status in (401, 403)
        # ChatKitty is only asked about the token.
        assert {seen.target for seen in gateways.upstream.take()} <= {"/v1/application"}


async def test_of_all_upgrades_only_that_to_a_websocket_is_passed_on(gateways: Gateways) -> None:
    key = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    for gateway in gateways.each:
        for upgrade, method, passed in (
            ("websocket", "GET", ["websocket"]),
            ("h2c, WebSocket", "GET", ["websocket"]),
            ("h2c", "GET", []),
            ("websocket", "POST", []),
        ):
            gateways.upstream.take()
            lines = ("Connection: Upgrade", f"Upgrade: {upgrade}", *key)
            answer = await exchange(gateway.url, head("/rtm/websocket", *lines, method=method))
            assert answer.status == 200  # the upstream does not switch
            [seen] = gateways.upstream.take()
            assert [value for name, value in seen.headers if name.lower() == "upgrade"] == passed


async def test_a_type_without_a_body_makes_no_upload(gateways: Gateways) -> None:
    for gateway in gateways.each:
        for method in ("GET", "DELETE"):
            gateways.upstream.take()
            answer = await exchange(gateway.url, asked(PATH, FORM_TYPE, method=method))
            assert answer.status == 200
            assert header(answer, "upload-id") is None
            assert [seen.method for seen in gateways.upstream.take()] == [method]


@pytest.mark.usefixtures("everything")
async def test_an_external_route_hosts_or_refuses(
    start_gateway: StartGateway, sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(HOSTED)
    hosting = start_gateway(config=str(file))
    await sandbox.forget_requests()
    path = f"/v1/channels/{CHANNEL}/messages"
    for method in ("PUT", "PATCH", "DELETE", "GET"):
        refused = await exchange(hosting.url, upload(path, method))
        assert refused.status == 405
        assert header(refused, "allow") == "GET, POST"
    for other in ("abc", "7.0", f"{2**63}"):
        refused = await exchange(hosting.url, upload(f"/v1/channels/{other}/messages"))
        assert refused.status == 404
    assert await sandbox.requests() == []

    number = "".join(f"%{ord(digit):x}" for digit in str(CHANNEL))
    for spelling in (path, f"/v1/channel%73/{number}/messages", f"{path}/"):
        answer = await exchange(hosting.url, upload(spelling))
        assert answer.status == 200
        assert json.loads(answer.body)["file"]["type"] == "EXTERNAL"
    posted = [each["path"] for each in await sandbox.requests() if each["method"] == "POST"]
    # The worker may have asked for its own token, which is not a message.
    assert [target for target in posted if target.endswith("/messages")] == [path] * 3


async def test_a_key_covers_a_path_in_each_of_its_spellings(external: Client) -> None:
    key = f"Idempotency-Key: {secrets.token_hex(8)}"
    body = form(files.PNG)
    length = f"Content-Length: {len(body)}"
    ids = set()
    for spelling in (f"/v1/channels/{CHANNEL}/messages", f"/v1/%63hannels/{CHANNEL}/message%73"):
        request = head(spelling, AUTHORIZATION, FORM_TYPE, length, key, CLOSE) + body
        answer = await exchange(external.url, request)
        assert answer.status == 200
        ids.add(header(answer, "upload-id"))
    assert len(ids) == 1


FILE_SPELLINGS = [
    "/gateway/files/{}/a.png",
    "/gateway/files/{}/",
    "/gateway/files/{}",
    "/gateway/files/{}/a.png/",
    "/gateway/files/{}/a/b",
    "/gateway/files/{}/a.png;x",
    "/gateway/files/;x/{}/a.png",
    "/gateway/files;x/{}/a.png",
    "//gateway/files/{}/a.png",
    "/gateway//files/{}/a.png",
    "/%67ateway/file%73/{}/a.png",
    "/%2567ateway/files/{}/a.png",
    "/Gateway/Files/{}/a.png",
    "/v1/../gateway/files/{}/a.png",
    "/x/..;/gateway/files/{}/a.png",
    "/gateway%2Ffiles%2F{}%2Fa.png",
    "/gateway\\files\\{}\\a.png",
    "/gateway/files/{}/%00",
    "/gateway/files/{}/%0a",
    "/gateway/%0afiles/{}/a",
    "/gateway/files/{}/%e9",
    "/gateway/files/{}/%",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_the_url_of_a_file_is_neither_logged_nor_sent_on(
    gateways: Gateways, method: str
) -> None:
    token = secrets.token_urlsafe(32)
    gateways.upstream.take()
    for gateway in gateways.each:
        for spelling in FILE_SPELLINGS:
            path = spelling.format(token)
            answers = [await exchange(gateway.url, asked(path, *PREFLIGHT, method=method))]
            if method in ("POST", "PUT"):
                answers.append(await exchange(gateway.url, upload(path, method)))
            for answer in answers:
                assert answer.status in (400, 404, 405), path
        assert token.encode() not in gateway.log.read_bytes()
    assert gateways.upstream.take() == []


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/gateway/files/x/y", "GET, HEAD"),
        ("/gateway/uploads", "GET, HEAD"),
        ("/gateway/uploads/x", "GET, HEAD, PATCH"),
        ("/gateway/healthz", "GET, HEAD"),
    ],
)
async def test_own_paths_refuse_other_methods(gateways: Gateways, path: str, allowed: str) -> None:
    refused = ["POST", "PUT", "OPTIONS"]
    if path != "/gateway/uploads/x":  # else it may end an upload in several requests
        refused.append("DELETE")
    for gateway in gateways.each:
        for method in refused:
            requests = [asked(path, *PREFLIGHT, method=method), upload(path, method)]
            for request in requests:
                answer = await exchange(gateway.url, request)
                assert answer.status == 405
                assert header(answer, "allow") == allowed


async def test_the_log_says_why_a_path_was_refused(gateways: Gateways) -> None:
    for gateway in gateways.each:
        answer = await exchange(gateway.url, asked("/v1/a%2Fb"))
        request_id = header(answer, "x-request-id")
        lines = [json.loads(line) for line in gateway.log.read_bytes().splitlines()]
        logged = [each for each in lines if each.get("request_id") == request_id]
        assert [each["event"] for each in logged] == ["request.target_refused", "request"]
        assert "encoded slash" in logged[0]["reason"]
        assert logged[1]["path"] == "/…"


@pytest.mark.parametrize("name", ["50%25.png", "a;b.png", "{x}.png", "a\\b?c#d.png", "%2F.png"])
async def test_a_hosted_file_can_be_read_whatever_its_name(external: Client, name: str) -> None:
    answer = await external.upload(
        f"/v1/channels/{CHANNEL}/messages", files.PNG, name=name, content_type="image/png"
    )
    assert answer.status == 200, answer.body
    url = answer.json()["file"]["url"]
    request = head(url.removeprefix(external.url) + "?grant=x", CLOSE, method="GET")
    assert (await exchange(external.url, request)).status == 302
