"""Digests that clients send with their uploads, and those that readers of hosted files get."""

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import google_crc32c
import pytest

from gateway.store.s3 import S3Store
from gateway.uploads import keys
from tests.flows import files
from tests.flows.client import Client
from tests.flows.raw import FORM_TYPE, form
from tests.flows.resuming import DRAFT, PATH, begin, offset_of, patch
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import TOKENS

MIB = 1024**2
LARGE = files.PNG.ljust(9 * MIB, b"\0")


@pytest.fixture(scope="module")
def settings(environ: dict[str, str], module_redis_url: str) -> dict[str, str]:
    return environ | {
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_BROKER_URL": module_redis_url,
        "GATEWAY_REDIS_URL": module_redis_url,
        "GATEWAY_HASH": "sha256",
        "GATEWAY_SERVE_FILES": "stream",
        "GATEWAY_INTERIM_RESPONSES": "true",
        # On a busy machine the worker may take longer than the default, after which a 202 comes.
        "GATEWAY_REGISTRATION_WAIT": "100",
    }


@pytest.fixture(scope="module")
def gateway(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with start_worker(settings, servers_dir), Gateway.start(settings, servers_dir) as gateway:
        yield gateway


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        yield client


def digest(content: bytes, algorithm: str = "sha-256") -> str:
    hashed = hashlib.new(algorithm.replace("-", ""), content).digest()
    return f"{algorithm}=:{b64encode(hashed).decode()}:"


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize("content", [files.PNG, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("door", ["form", "raw", "iOS"])
async def test_content_without_its_digest_is_not_stored(
    client: Client, store: S3Store, field: str, content: bytes, door: str
) -> None:
    is_form = door == "form"
    path = PATH if is_form else f"/gateway/raw{PATH}"
    kind = FORM_TYPE.partition(": ")[2] if is_form else "image/png"
    body = form(content) if is_form else content
    own = {"Content-Type": kind} | (DRAFT | {"Upload-Complete": "?1"} if door == "iOS" else {})
    wrong = {field: f"md5=:YQ==:, {digest(body + b'?', 'sha-512')}"}
    answer = await client.request("POST", path, data=BytesIO(body), headers=own | wrong)
    assert answer.status == 400, answer.body
    assert answer.json()["type"].endswith(":digest-mismatch")
    for key in (keys.incoming, keys.pending, keys.session):
        place = key(answer.upload_id)
        assert [info.key async for info in store.list(place)] == []
        assert [each.key async for each in store.list_multipart_uploads(place)] == []
    right = {field: digest(body, "sha-512")}
    accepted = await client.request("POST", path, data=BytesIO(body), headers=own | right)
    assert accepted.status == 200, accepted.body


async def test_a_part_without_its_digest_does_not_count(client: Client) -> None:
    url = (await begin(client)).headers["Location"]
    lines = DRAFT | {
        "Content-Type": "application/partial-upload",
        "Upload-Complete": "?1",
        "Upload-Offset": "0",
    }
    wrong = lines | {"Content-Digest": digest(b"other")}
    answer = await client.request("PATCH", url, data=files.PNG, headers=wrong)
    assert (answer.status, answer.headers["Upload-Offset"]) == (400, "0")
    assert answer.json()["type"].endswith(":digest-mismatch")
    assert await offset_of(client, url) == 0
    unclear = lines | {"Content-Digest": "sha-256=abc"}
    answer = await client.request("PATCH", url, data=files.PNG, headers=unclear)
    assert (answer.status, answer.json()["type"].rpartition(":")[2]) == (400, "malformed-request")
    right = lines | {"Content-Digest": digest(files.PNG), "Repr-Digest": digest(b"ignored here")}
    assert (await client.request("PATCH", url, data=files.PNG, headers=right)).status == 200


@pytest.mark.parametrize("content", [files.PNG, LARGE], ids=["small", "large"])
async def test_a_file_that_comes_in_one_request_of_several_has_its_sha256(
    client: Client, content: bytes
) -> None:
    async def sha256_after(*offsets: int) -> str | None:
        url = (await begin(client)).headers["Location"]
        for start, end in pairwise((0, *offsets, len(content))):
            last = end == len(content)
            answer = await patch(client, url, start, content[start:end], last=last)
        assert answer.status == 200, answer.body
        resource = await client.resource(answer.upload_id)
        assert resource["file"]["digests"]["crc32c"] == f"{google_crc32c.value(content):08x}"
        found: str | None = resource["file"]["digests"].get("sha256")
        return found

    assert await sha256_after() == hashlib.sha256(content).hexdigest()
    assert await sha256_after(0) == hashlib.sha256(content).hexdigest()
    assert await sha256_after(1) is None


async def test_readers_of_a_hosted_file_get_its_digests(client: Client) -> None:
    answer = await client.upload(PATH, files.PNG, name="a.png")
    url = answer.json()["file"]["url"]
    crc32c = b64encode(google_crc32c.value(files.PNG).to_bytes(4, "big")).decode()
    expected = f"{digest(files.PNG)}, crc32c=:{crc32c}:"
    for method, lines in (("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=1-2"})):
        served = await client.request(method, url, headers=lines)
        assert served.headers["Repr-Digest"] == expected
