"""What a client must not achieve with an upload in several requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.store.s3 import S3Store
from gateway.uploads import keys
from tests.flows import files
from tests.flows.client import PATIENCE, Answer, Client
from tests.flows.raw import FORM_TYPE, exchange, form, head
from tests.flows.resuming import CONTENT, DRAFT, PATH, TUS, begin, create, patch, tus_patch
from tests.servers.gateway import Gateway, start_worker
from tests.servers.metrics import until
from tests.servers.sandbox import TOKENS
from tests.servers.zygote import ForkedPart

LIMIT = 1024**2
UNKNOWN = "/gateway/uploads/0199f0c2-0000-7000-8000-000000000000"
PART = {"Content-Type": "application/partial-upload", "Upload-Complete": "?0"}


@pytest.fixture(scope="module")
def settings(environ: dict[str, str], module_redis_url: str) -> dict[str, str]:
    return environ | {
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_BROKER_URL": module_redis_url,
        "GATEWAY_REDIS_URL": module_redis_url,
        "GATEWAY_MAX_FILE_SIZE": str(LIMIT),
        "GATEWAY_DELETE_FILES": "true",
    }


@pytest.fixture(scope="module", autouse=True)
def worker(settings: dict[str, str], servers_dir: Path) -> Iterator[ForkedPart]:
    with start_worker(settings, servers_dir) as part:
        yield part


@pytest.fixture(scope="module")
def gateway(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with Gateway.start(settings, servers_dir) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def relay(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with Gateway.start(settings | {"GATEWAY_DELIVERY": "relay"}, servers_dir) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def strict(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    """A gateway that requires a scope that no token has."""
    with Gateway.start(settings | {"GATEWAY_AUTH_SCOPES": "uploads"}, servers_dir) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def limited(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    own = {"GATEWAY_SUBJECT_SESSIONS": "2", "GATEWAY_SUBJECT_UPLOADS": "1"}
    with Gateway.start(settings | own, servers_dir) as gateway:
        yield gateway


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        yield client


@pytest.mark.parametrize("dialect", [DRAFT | PART, TUS | CONTENT], ids=["draft", "tus"])
async def test_a_length_that_is_announced_late_has_the_same_limit(
    client: Client, dialect: dict[str, str]
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield bytes(LIMIT)
        yield b"more"

    begun = await (
        create(client, {"Upload-Defer-Length": "1"})
        if "Tus-Resumable" in dialect
        else begin(client)
    )
    late = {"Upload-Offset": "0", "Upload-Length": str(100 * LIMIT)}
    place = begun.headers["Location"]
    answer = await client.request("PATCH", place, data=body(), headers=dialect | late)
    assert answer.status == 413, answer.headers
    assert (await client.request("HEAD", place)).status == 410


def _apart_from_the_request(answer: Answer) -> tuple[int, set[str], dict[str, Any]]:
    document = answer.json() if answer.body else {}
    told = {n: v for n, v in document.items() if n not in {"request_id", "timestamp"}}
    return answer.status, set(answer.headers), told


@pytest.mark.parametrize("dialect", [{}, DRAFT, TUS], ids=["none", "draft", "tus"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE"])
async def test_another_subjects_upload_looks_like_none(
    client: Client, method: str, dialect: Mapping[str, str]
) -> None:
    kind = CONTENT if "Tus-Resumable" in dialect else PART
    lines = {**dialect, **kind, "Upload-Offset": "0"} if method == "PATCH" else dict(dialect)
    place = urlsplit((await begin(client)).headers["Location"]).path
    other = client.as_another(TOKENS["bob"])
    foreign, unknown, malformed = [
        _apart_from_the_request(await other.request(method, path, headers=lines))
        for path in (place, UNKNOWN, "/gateway/uploads/no-such-id")
    ]
    assert foreign == unknown == malformed
    assert foreign[0] == 404


@pytest.mark.parametrize("dialect", [DRAFT, TUS], ids=["draft", "tus"])
async def test_an_upload_with_an_unreadable_state_is_kept(
    client: Client, store: S3Store, dialect: Mapping[str, str]
) -> None:
    begun = await (create(client, {"Upload-Length": "9"}) if dialect is TUS else begin(client))
    place = begun.headers["Location"]
    kind = {**dialect, **(CONTENT if dialect is TUS else PART)}
    first = {**kind, "Upload-Offset": "0"}
    assert (await client.request("PATCH", place, data=b"four", headers=first)).status == 204
    key = keys.session(begun.upload_id)
    written = (await store.get(key)).content
    another = written.replace(begun.upload_id.encode(), UNKNOWN.rpartition("/")[2].encode())
    for unreadable in (written[:-1], another, b'{"of": "another version"}'):
        await store.put(key, unreadable)
        for method in ("HEAD", "GET", "PATCH", "DELETE"):
            lines = {**kind, "Upload-Offset": "2"} if method == "PATCH" else dialect
            answer = await client.request(method, place, headers=lines)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
            if method != "HEAD":
                assert answer.json()["type"].endswith(":upload-unreadable")
    await store.put(key, written)
    head = await client.request("HEAD", place, headers=dialect)
    assert head.headers["Upload-Offset"] == "4"


async def test_the_open_uploads_of_a_subject_are_limited(limited: Gateway) -> None:
    async with Client.open(limited.url, TOKENS["alice"]) as client:
        first, second = [await begin(client), await create(client, {"Upload-Length": "9"})]
        keyed = {"Upload-Length": "9", "Idempotency-Key": "third"}
        for headers in (keyed, {"Upload-Length": "9"}):
            answer = await create(client, headers)
            assert answer.status == 429, answer.body
            assert answer.json()["violated-policies"] == ["gateway-sessions"]
            assert answer.headers["Retry-After"] == "2"
        for each in (first, second):  # the refused one has occupied no place
            head = await client.request("HEAD", each.headers["Location"], headers=DRAFT)
            assert head.status == 204
        place = second.headers["Location"]
        assert (await client.request("DELETE", place, headers=TUS)).status == 204
        async with asyncio.timeout(PATIENCE):
            while (answer := await create(client, keyed)).status == 429:
                await asyncio.sleep(0.1)
        assert answer.status == 201, answer.body
        assert (await create(client, keyed)).headers["Location"] == answer.headers["Location"]


async def test_a_head_does_not_count_as_an_upload(limited: Gateway) -> None:
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield files.PNG
        await go_on.wait()

    async with Client.open(limited.url, TOKENS["bob"]) as client:
        place = (await create(client, {"Upload-Length": "9"})).headers["Location"]
        sending = asyncio.create_task(client.request("POST", f"/gateway/raw{PATH}", data=body()))
        await until(
            limited.admin_url, lambda it: it.value("open_uploads", delivery="external") == 1
        )
        assert (await tus_patch(client, place, 0, b"")).status == 503
        assert (await client.request("HEAD", place, headers=TUS)).status == 200
        go_on.set()
        assert (await sending).status == 200


async def test_only_tus_names_another_method(client: Client) -> None:
    upload = await client.upload(PATH, files.PNG, name="cat.png", content_type="image/png")
    await client.end_of(upload.upload_id)
    place = f"/gateway/uploads/{upload.upload_id}"
    override = {"X-HTTP-Method-Override": "DELETE"}
    assert (await client.request("POST", place, headers=override)).status == 405
    assert (await client.request("POST", place, headers=DRAFT | override)).status == 405
    assert (await client.request("POST", place, headers=TUS | override)).status == 409
    assert (await client.resource(upload.upload_id))["state"] == "registered"


async def test_a_repeated_end_by_tus_is_no_error_whatever_became_of_it(client: Client) -> None:
    begun = await create(client, {"Upload-Length": str(len(files.EXE))})
    place = begun.headers["Location"]
    assert (await tus_patch(client, place, 0, files.EXE)).status == 204
    assert (await client.end_of(begun.upload_id))["state"] == "rejected"
    again = await tus_patch(client, place, len(files.EXE), b"")
    assert again.status == 200, again.body
    assert again.json()["state"] == "rejected"


@pytest.mark.parametrize(
    ("method", "path", "lines"),
    [
        ("POST", f"/gateway/raw{PATH}", {"Upload-Offset": "9"}),
        ("POST", f"/gateway/tus{PATH}", TUS),
        ("PATCH", UNKNOWN, DRAFT),
        ("PATCH", UNKNOWN, TUS | {"Content-Encoding": "gzip"}),
        ("POST", PATH, DRAFT | {"Upload-Offset": "9", "Content-Type": FORM_TYPE.split(": ")[1]}),
    ],
    ids=["raw", "tus", "more by the draft", "more by tus", "form"],
)
async def test_the_caller_is_known_before_the_request_is_judged(
    client: Client, method: str, path: str, lines: Mapping[str, str]
) -> None:
    body = {"data": b"abc", "headers": dict(lines)}
    known = await client.request(method, path, **body)
    assert known.status in {400, 415, 422}, known.body
    stranger = await client.as_another("nobody").request(method, path, **body)
    assert (stranger.status, "WWW-Authenticate" in stranger.headers) == (401, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE", "QUERY"])
@pytest.mark.parametrize(
    ("door", "supported"), [("raw", "POST, PUT, OPTIONS"), ("tus", "POST, OPTIONS")]
)
async def test_a_405_lists_what_the_endpoint_supports(
    client: Client, door: str, supported: str, method: str
) -> None:
    lines = {} if method in {"GET", "HEAD"} else TUS | CONTENT
    answer = await client.request(method, f"/gateway/{door}{PATH}", headers=lines)
    assert (answer.status, answer.headers["Allow"]) == (405, supported)


async def test_a_query_that_is_not_utf8_is_refused(client: Client, gateway: Gateway) -> None:
    lines = (f"Authorization: Bearer {client.token}", "Connection: close", "Content-Length: 3")
    answer = await exchange(gateway.url, head(f"/gateway/raw{PATH}?groupTag=%FF", *lines) + b"abc")
    assert answer.status == 400
    assert b"not valid UTF-8" in answer.body


async def test_a_client_of_http_1_0_is_never_asked_for_its_body(
    client: Client, gateway: Gateway
) -> None:
    lines = (
        f"Authorization: Bearer {client.token}",
        "Expect: 100-continue",
        f"Content-Length: {len(files.PNG)}",
    )
    request = head(f"/gateway/raw{PATH}", *lines).replace(b"HTTP/1.1", b"HTTP/1.0")
    answer = await exchange(gateway.url, request + files.PNG)
    assert answer.data.startswith(b"HTTP/1.0 200 ")


async def _relayed(client: Client) -> list[str]:
    """The ids of the caller's relayed uploads."""
    listed = (await client.request("GET", "/gateway/uploads")).json()["uploads"]
    return [each["id"] for each in listed if each["delivery"] == "relay"]


async def test_a_relayed_upload_is_not_continued_before_its_end_or_after(relay: Gateway) -> None:
    go_on = asyncio.Event()
    whole = form(files.PNG)

    async def body() -> AsyncIterator[bytes]:
        yield whole[:-10]
        await go_on.wait()
        yield whole[-10:]

    lines = {"Content-Type": FORM_TYPE.partition(": ")[2], "Idempotency-Key": "relayed"}
    async with Client.open(relay.url, TOKENS["bob"]) as client:
        sending = asyncio.create_task(client.request("POST", PATH, data=body(), headers=lines))
        async with asyncio.timeout(PATIENCE):
            while not (ids := await _relayed(client)):
                await asyncio.sleep(0.05)
        place = f"/gateway/uploads/{ids[0]}"
        early = [
            await patch(client, place, 0, b"", last=True),
            await tus_patch(client, place, 0, b""),
        ]
        go_on.set()
        assert (await sending).status == 200
        late = await patch(client, place, len(files.PNG), b"", last=True)
    for answer in (*early, late):
        assert answer.status == 422, answer.body
        assert answer.json()["type"].endswith(":not-hosted")


@pytest.mark.parametrize("dialect", [DRAFT, TUS], ids=["draft", "tus"])
async def test_continuing_an_upload_needs_the_scopes_of_its_creation(
    client: Client, strict: Gateway, dialect: Mapping[str, str]
) -> None:
    place = urlsplit((await begin(client)).headers["Location"]).path
    async with Client.open(strict.url, client.token) as other:
        state = await other.request("HEAD", place, headers=dialect)
        end = await other.request("DELETE", place, headers=dialect)
        more = await tus_patch(other, place, 0, files.PNG)
    assert (state.status, end.status, more.status) == (403, 403, 403)
    assert (await patch(client, place, 0, files.PNG, last=True)).status == 200
    async with Client.open(strict.url, client.token) as other:
        assert (await other.request("HEAD", place, headers=dialect)).status == 403
