"""Bad input gets a clear answer, in both deliveries, and leaves nothing behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store.s3 import S3Store
from gateway.uploads import keys
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.flows.raw import FORM_TYPE, abandon, exchange, form, head
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"


@pytest.fixture(params=["fast_relay", "plain_relay", "external"])
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def clean(store: S3Store) -> AsyncIterator[None]:
    """Nothing but ended uploads may be in the bucket afterwards."""
    before = await _objects(store)
    yield
    async with asyncio.timeout(PATIENCE):
        # Uploads of an earlier test may have ended in the meantime.
        while not await _objects(store) <= before:
            await asyncio.sleep(0.05)


async def _objects(store: S3Store) -> set[str]:
    found = {info.key async for info in store.list(keys.INCOMING)}
    found |= {info.key async for info in store.list(keys.PENDING)}
    return found | {each.upload_id async for each in store.list_multipart_uploads(keys.INCOMING)}


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("token", ["wrong", ""])
async def test_a_bad_token_is_refused_before_the_body_is_requested(
    client: Client, sandbox: Sandbox, token: str
) -> None:
    await sandbox.forget_requests()
    request = head(
        CHANNEL_PATH,
        *([f"Authorization: Bearer {token}"] if token else []),
        FORM_TYPE,
        "Content-Length: 1000000",
        "Expect: 100-continue",
    )
    answer = await exchange(client.url, request, until=b"}")
    assert answer.status == 401
    assert b"100 Continue" not in answer.data
    assert b"WWW-Authenticate: Bearer" in answer.data
    assert "POST" not in {request["method"] for request in await sandbox.requests()}


async def test_valid_token_gets_100_continue(client: Client) -> None:
    body = form(files.PNG)
    request = head(
        CHANNEL_PATH,
        AUTHORIZATION,
        FORM_TYPE,
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
    )
    interim = await exchange(client.url, request, until=b"\r\n\r\n")
    assert interim.data == b"HTTP/1.1 100 Continue\r\n\r\n"
    answer = await exchange(client.url, request, body, until=b"}}}")
    assert b"HTTP/1.1 200 OK" in answer.data


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (form(b""), "empty-file"),
        (form(b"data", name="document"), "invalid-field"),
        (form(b"data").replace(b'; filename="a.bin"', b"").replace(b"file", b"x"), "missing-file"),
        (form(b"data")[:-20], "malformed-upload"),
        (form(b"data") + form(b"data"), "malformed-upload"),
        (form(b"data").removesuffix(b"--b--\r\n") + form(b"data"), "several-files"),
        (b"no form at all, but long enough to be one", "malformed-upload"),
    ],
)
async def test_the_refusal_of_a_form_says_why_it_cannot_be_hosted(
    external: Client, sandbox: Sandbox, body: bytes, slug: str
) -> None:
    before = await sandbox.messages()
    request = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}")
    answer = await exchange(external.url, request + body, until=b'"timestamp"')
    assert 400 <= answer.status < 500
    assert slug.encode() in answer.body
    assert b"application/problem+json" in answer.data
    assert await sandbox.messages() == before


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            form(b"data").replace(b"--b", b"--another"),
            "No line of the body is the boundary that the request's Content-Type declares. ",
        ),
        (form(b"data")[:-20], "In the headers of part 1: The body ends before its closing"),
        (
            form(b"data", filename="my\r\nsecret.png"),
            (
                "In line 2 of the headers of part 1 (`file`): A line among a part's headers is not"
                " a header. Write each header as `Name: value`, and an empty line after the last"
                " one. Write a line break in a file's name as %0D%0A or rename the file."
            ),
        ),
    ],
)
async def test_the_answer_to_a_broken_form_says_where_it_is_broken(
    external: Client, body: bytes, detail: str
) -> None:
    request = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}")
    answer = await exchange(external.url, request + body, until=b'Z"}')
    assert json.loads(answer.body)["detail"].startswith(detail)
    assert b"secret" not in answer.body


@pytest.mark.parametrize("body", [form(b""), form(b"x", name="document"), form(b"x" * 99)[:-20]])
async def test_chatkittys_refusals_are_passed_on_word_for_word(relay: Client, body: bytes) -> None:
    request = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}")
    answer = await exchange(relay.url, request + body, until=b'"timestamp"')
    assert answer.status == 400
    assert b"ClientError" in answer.body


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("size", [1000, 20_000_000])
async def test_a_client_that_disconnects_leaves_nothing(
    client: Client, sandbox: Sandbox, size: int
) -> None:
    before = await sandbox.messages()
    request = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 30000000")
    await abandon(client.url, [request, form(bytes(size))[:-20]])
    assert await sandbox.messages() == before


@pytest.mark.usefixtures("clean")
async def test_a_file_beyond_the_limit_is_refused_by_its_length_and_by_the_count(
    start_gateway: StartGateway, sandbox: Sandbox
) -> None:
    for delivery in ("relay", "external"):
        gateway = start_gateway(max_file_size="100000", max_form_size="1000", delivery=delivery)
        before = await sandbox.messages()
        by_length = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 200000")
        answer = await exchange(gateway.url, by_length, until=b'"timestamp"')
        assert answer.status == 413
        body = form(bytes(150_000))
        chunked = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked")
        answer = await exchange(
            gateway.url, chunked + b"%x\r\n%s\r\n" % (len(body), body), until=b'"timestamp"'
        )
        assert answer.status == 413
        assert b"file-too-large" in answer.body
        assert await sandbox.messages() == before


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/gateway/nothing", "/gateway/uploads/x/y", "/gateway"])
async def test_an_unknown_route_of_ours_is_a_clear_404(
    client: Client, method: str, path: str
) -> None:
    if method == "POST":
        answer = await client.upload(path, files.PNG)
    else:
        answer = await client.request(method, path)
    assert answer.status == 404
    problem = answer.json()
    assert problem["type"].endswith(":not-found")
    assert problem["error"] == "NotFoundError"
    assert problem["request_id"] == answer.headers["X-Request-Id"]


async def test_chatkitty_answers_for_its_own_unknown_routes(client: Client) -> None:
    answer = await client.upload("/v1/nonsense", files.PNG)
    assert (answer.status, answer.json()["error"]) == (404, "ResourceNotFoundError")


async def test_own_resources_accept_only_their_methods(client: Client) -> None:
    answer = await client.request("DELETE", "/gateway/uploads")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert (
        await client.request("GET", "/gateway/uploads", headers={"Authorization": ""})
    ).status == 401


async def test_a_request_id_is_kept_and_a_bad_one_replaced(client: Client) -> None:
    kept = await client.request("GET", "/gateway/healthz", headers={"X-Request-Id": "mine-1"})
    assert kept.headers["X-Request-Id"] == "mine-1"
    odd = await client.request("GET", "/gateway/healthz", headers={"X-Request-Id": "a b;c"})
    assert odd.headers["X-Request-Id"] not in ("", "a b;c")


async def test_a_grant_alone_is_refused_unless_grants_are_relayed(
    relay: Client, start_gateway: StartGateway
) -> None:
    body = form(files.PNG)
    request = head(
        f"/runtime/channels/{CHANNEL}/messages",
        "Grant: WRITE",
        FORM_TYPE,
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    refused = await exchange(relay.url, request + body)
    assert refused.status == 401
    assert b"grant-refused" in refused.body
    relaying = start_gateway(grants="relay")
    taken = await exchange(relaying.url, request + body)
    assert taken.status == 200


@pytest.fixture(scope="module")
def small_gateways(environ: dict[str, str], servers_dir: Path) -> Iterator[tuple[Gateway, ...]]:
    """Gateways with memory for one upload, one of each delivery."""
    small = {**environ, "GATEWAY_UPLOAD_MEMORY": "32MiB"}
    with (
        Gateway.start({**small, "GATEWAY_DELIVERY": "relay"}, servers_dir) as relaying,
        Gateway.start({**small, "GATEWAY_DELIVERY": "external"}, servers_dir) as hosting,
    ):
        yield relaying, hosting


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    "tail", [b"zz\r\nabc", b"-1\r\n", b"f" * 17 + b"\r\n", b"5\r\nabcdefgh\r\n"]
)
async def test_broken_framing_is_a_client_error_and_frees_what_was_reserved(
    small_gateways: tuple[Gateway, ...], sandbox: Sandbox, tail: bytes
) -> None:
    before = await sandbox.messages()
    for gateway in small_gateways:
        body = form(bytes(1000))[:-20]
        start = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked")
        start += b"%x\r\n%s\r\n" % (len(body), body)
        for pause in (0.0, 0.05, 0.05):  # read together, or while the upload is in progress
            answer = await exchange(gateway.url, start, tail, until=b"\r\n\r\n", pause=pause)
            assert answer.status == 400
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            at_once = {"Prefer": "respond-async"}
            taken = await client.upload(CHANNEL_PATH, files.PNG, headers=at_once)
            assert taken.status in (200, 202)
            await client.end_of(taken.upload_id)  # or its message would be counted by the next
    assert len(await sandbox.messages()) <= len(before) + 2
