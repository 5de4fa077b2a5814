"""Pages of other origins: each answer, of each engine, says who may read it, and says so once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.flows.client import Client
from tests.flows.raw import FORM_TYPE, chunked, form, head
from tests.flows.scripted import AUTHORIZATION, Pair, Script, open_pair
from tests.hostile.talk import Line, Reply
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = "https://app.example.com"
LOCAL = "capacitor://localhost"
OTHER = "https://other.example.com"
PATIENCE = 30.0
UPLOADS = "/v1/channels/702/messages"
BODY = form(b"x")
LENGTH = f"Content-Length: {len(BODY)}"
OF_THE_UPSTREAM = (
    b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: https://chatkitty.example\r\n"
    b"Vary: Accept\r\nAccess-Control-Expose-Headers: X\r\nContent-Length: 2\r\n\r\n{}"
)
SETTINGS = {
    "GATEWAY_CORS_ORIGINS": f"{APP},{LOCAL}",
    "GATEWAY_MAX_FILE_SIZE": "1MiB",
    "GATEWAY_HEAD_TIMEOUT": "1",
}
NOT_FOR_SCRIPTS = {
    "cache-control", "connection", "content-length", "content-type", "keep-alive", "server",
    "transfer-encoding", "vary", "x-content-type-options",
}  # fmt: skip
"""What scripts may always read (Fetch standard, "CORS-safelisted"), and what only browsers need."""
LARGE = [f"X-{number}: {'x' * 7_000}" for number in range(6)]

CASES = {
    "relay": (200, head(UPLOADS, AUTHORIZATION, FORM_TYPE, LENGTH) + BODY),
    "relay, chunked": (
        200,
        head(UPLOADS, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked") + chunked(BODY, 40),
    ),
    "passed": (200, head("/v1/users", AUTHORIZATION, method="GET")),
    "passed, chunked": (
        200,
        head("/v1/users", AUTHORIZATION, "Transfer-Encoding: chunked") + chunked(b"x", 1),
    ),
    "upstream away": (502, head("/v1/broken", AUTHORIZATION, method="GET")),
    "no token": (401, head(UPLOADS, FORM_TYPE, LENGTH) + BODY),
    "wrong token": (401, head(UPLOADS, "Authorization: Bearer x", FORM_TYPE, LENGTH) + BODY),
    "too large": (413, head(UPLOADS, AUTHORIZATION, FORM_TYPE, "Content-Length: 9000000")),
    "passed, too large": (413, head("/v1/users", AUTHORIZATION, "Content-Length: 9000000")),
    "ambiguous path": (400, head("/v1/../x", AUTHORIZATION, method="GET")),
    "unreadable": (400, head("/v1/users", "Content-Length: 5, 6")),
    "framing": (400, head("/v1/users", "Authorization: Bearer \xe9", method="GET")),
    "large head": (431, head("/v1/users", *LARGE, method="GET")),
    "large, unfinished head": (431, head("/v1/users", *LARGE, method="GET")[:-4]),
    "slow head": (408, head("/v1/users", "X: y", method="GET")[:-2]),
    "own": (200, head("/gateway/healthz", method="GET")),
    "own, missing": (404, head("/gateway/uploads/none", AUTHORIZATION, method="GET")),
    "own, wrong method": (405, head("/gateway/uploads", AUTHORIZATION)),
    "no file": (404, head("/gateway/files/a/b", method="GET")),
    "limits": (204, head(f"/gateway/tus{UPLOADS}", method="OPTIONS")),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(environ: dict[str, str], servers_dir: Path) -> AsyncIterator[Pair]:
    async with open_pair(servers_dir, {**environ, **SETTINGS}) as opened:
        _script(opened)
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def silent(environ: dict[str, str], servers_dir: Path) -> AsyncIterator[Pair]:
    """Without the setting."""
    async with open_pair(servers_dir, environ) as opened:
        _script(opened)
        yield opened


def _script(opened: Pair) -> None:
    for path in (UPLOADS, "/v1/users"):
        opened.upstream.scripts[path] = Script(OF_THE_UPSTREAM)
    opened.upstream.scripts["/v1/broken"] = Script(b"", closes=True)


async def ask(gateway: Gateway, request: bytes, origin: str | None) -> Reply:
    reply = await answer_of(gateway, request, origin)
    assert reply is not None
    return reply


async def answer_of(gateway: Gateway, request: bytes, origin: str | None) -> Reply | None:
    """The answer; None if the gateway closed or reset the connection before the test read one."""
    opening, _, rest = request.partition(b"\r\n")
    named = f"Origin: {origin}\r\n".encode() if origin is not None else b""
    async with Line.open(gateway.url) as line:
        await line.send([opening + b"\r\n" + named + rest])
        return await line.reply(PATIENCE)


def said(reply: Reply, name: str) -> list[str]:
    return [value for key, value in reply.headers if key == f"access-control-{name}"]


def varies(reply: Reply) -> bool:
    return any(key == "vary" and "Origin" in value for key, value in reply.headers)


@pytest.mark.parametrize("engine", ["fast", "plain"])
@pytest.mark.parametrize("case", CASES)
async def test_each_answer_can_be_read_by_pages_of_the_listed_origins_alone(
    pair: Pair, case: str, engine: str
) -> None:
    status, request = CASES[case]
    gateway = pair.gateways[engine]
    replies = [await ask(gateway, request, origin) for origin in (APP, LOCAL, OTHER, None)]
    assert [reply.status for reply in replies] == [status] * 4
    assert [said(reply, "allow-origin") for reply in replies] == [[APP], [LOCAL], [], []]
    for reply in replies:
        assert varies(reply)
    for reply in replies[:2]:
        assert said(reply, "allow-credentials") == ["true"]
        (exposed,) = said(reply, "expose-headers")
        assert {"X-Request-Id", "Retry-After", "Upload-Offset"} < set(exposed.split(", "))
        answered = {name for name, _ in reply.headers if not name.startswith("access-control-")}
        assert answered - NOT_FOR_SCRIPTS <= set(exposed.lower().split(", "))
    for reply in replies[2:]:
        assert not any(name.startswith("access-control") for name, _ in reply.headers)


@pytest.mark.parametrize("engine", ["fast", "plain"])
@pytest.mark.parametrize(
    "path",
    [UPLOADS, "/v1/users", "/gateway/uploads", f"/gateway/tus{UPLOADS}", "/gateway/none", "/v1/.."],
)
async def test_preflights_are_answered_here_without_a_token(
    pair: Pair, path: str, engine: str
) -> None:
    pair.upstream.take()
    asked = head(
        path,
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization,idempotency-key",
        method="OPTIONS",
    )
    reply = await ask(pair.gateways[engine], asked, APP)
    assert (reply.status, said(reply, "allow-origin")) == (204, [APP])
    (headers,), (methods,) = said(reply, "allow-headers"), said(reply, "allow-methods")
    wanted = {"Authorization", "Grant", "Idempotency-Key", "Prefer", "Tus-Resumable"}
    assert wanted < set(headers.split(", "))
    assert {"PATCH", "DELETE"} < set(methods.split(", "))
    assert said(reply, "max-age") == ["7200"]
    refused = await ask(pair.gateways[engine], asked, OTHER)
    assert not any(name.startswith("access-control") for name, _ in refused.headers)
    assert pair.upstream.take() == []


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_without_the_setting_only_chatkitty_decides_on_origins(
    silent: Pair, engine: str
) -> None:
    gateway = silent.gateways[engine]
    for case in ("relay", "passed"):
        reply = await ask(gateway, CASES[case][1], APP)
        assert said(reply, "allow-origin") == ["https://chatkitty.example"]
        assert said(reply, "expose-headers") == ["X"]
        assert [value for name, value in reply.headers if name == "vary"] == ["Accept"]
    for case in ("no token", "own", "large head", "unreadable"):
        reply = await ask(gateway, CASES[case][1], APP)
        assert said(reply, "allow-origin") == []
        assert not varies(reply)
    silent.upstream.take()
    await ask(gateway, head(UPLOADS, "Access-Control-Request-Method: POST", method="OPTIONS"), APP)
    (came,) = silent.upstream.take()
    assert came.opening.startswith("OPTIONS ")


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_pages_can_read_the_refusal_of_a_request_above_the_quota(
    start_gateway: StartGateway, engine: str
) -> None:
    gateway = start_gateway(cors_origins=APP, subject_requests="1", engine=engine)
    request = head("/v1/users", AUTHORIZATION, method="GET")
    await ask(gateway, request, APP)
    refused = await ask(gateway, request, APP)
    assert (refused.status, said(refused, "allow-origin")) == (429, [APP])


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_pages_can_read_the_refusal_of_a_connection_above_the_limit(
    start_gateway: StartGateway, engine: str
) -> None:
    gateway = start_gateway(cors_origins=APP, max_connections="1", engine=engine)
    reader, busy = await asyncio.open_connection(urlsplit(gateway.url).hostname, gateway.port)
    begun = head(UPLOADS, AUTHORIZATION, FORM_TYPE, "Content-Length: 9", "Expect: 100-continue")
    busy.write(begun)
    async with asyncio.timeout(PATIENCE):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        # The gateway closes without waiting for the request, which may become a reset.
        while (refused := await answer_of(gateway, CASES["own"][1], APP)) is None:
            pass
    assert (refused.status, said(refused, "allow-origin")) == (503, [APP])
    busy.transport.abort()


@pytest.mark.usefixtures("everything")
async def test_pages_can_read_hosted_uploads_and_files(start_gateway: StartGateway) -> None:
    gateway = start_gateway(delivery="external", cors_origins="*")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        path = f"/v1/channels/{CHANNEL}/messages"
        origin = {"Origin": OTHER}
        uploaded = await client.upload(path, b"hosted", headers=origin)
        resource = await client.request(
            "GET", f"/gateway/uploads/{uploaded.upload_id}", headers=origin
        )
        served = await client.request(
            "GET", resource.json()["url"], headers=origin, allow_redirects=False
        )
        created = await client.request(
            "POST",
            f"/gateway/tus{path}",
            headers={**origin, "Tus-Resumable": "1.0.0", "Upload-Length": "9"},
        )
    answers = (uploaded, resource, served, created)
    assert [answer.status for answer in answers] == [200, 200, 302, 201]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Location" in answer.headers["Access-Control-Expose-Headers"]
