"""Uploads in several requests, through real gateways and workers."""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.flows import files
from tests.flows.client import Client
from tests.flows.resuming import (
    DRAFT,
    PATH,
    TUS,
    begin,
    create,
    offset_of,
    patch,
    send_cut,
    tus_patch,
)
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import TOKENS

MIB = 1024**2


@pytest.fixture(scope="module")
def settings(environ: dict[str, str], module_redis_url: str) -> dict[str, str]:
    return environ | {
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_BROKER_URL": module_redis_url,
        "GATEWAY_REDIS_URL": module_redis_url,
    }


@pytest.fixture(scope="module")
def gateway(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with start_worker(settings, servers_dir), Gateway.start(settings, servers_dir) as gateway:
        yield gateway


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        yield client


async def test_a_file_in_one_request_is_a_hosted_upload(client: Client) -> None:
    answer = await client.request(
        "POST",
        f"/gateway/raw{PATH}?groupTag=cats",
        data=files.PNG,
        headers={"Content-Type": "image/png", "Content-Disposition": 'inline; filename="cat.png"'},
    )
    assert answer.status == 200, answer.body
    assert answer.headers["Upload-Complete"] == "?1"
    message = answer.json()
    assert message["file"]["name"] == "cat.png"
    assert message["groupTag"] == "cats"
    resource = await client.resource(answer.upload_id)
    assert resource["state"] == "registered"
    assert resource["file"]["declaredContentType"] == "image/png"


@pytest.mark.parametrize("size", [200_000, 9 * MIB, 20 * MIB])
async def test_a_file_in_several_requests_is_one_object(client: Client, size: int) -> None:
    data = files.PNG.ljust(size, b"\0")
    begun = await begin(client)
    url = begun.headers["Location"]
    cuts = [0, size // 7, size // 3, size - 1, size]
    for start, end in pairwise(cuts):
        last = end == size
        answer = await patch(client, url, start, data[start:end], last=last)
        assert answer.status == (200 if last else 204), answer.body
        assert answer.headers["Upload-Offset"] == str(end)
        assert answer.headers["Upload-Complete"] == ("?1" if last else "?0")
    assert answer.json()["file"]["size"] == size
    stored = await client.request("GET", answer.json()["file"]["url"])
    assert hashlib.sha256(stored.body).digest() == hashlib.sha256(data).digest()
    assert await offset_of(client, url) == size


async def test_nothing_that_arrived_before_a_cut_is_sent_again(
    gateway: Gateway, client: Client
) -> None:
    data = files.PNG.ljust(30 * MIB, b"\0")
    url = (await begin(client)).headers["Location"]
    path = urlsplit(url).path
    cuts = [0, 1000, 5 * MIB, 5 * MIB + 1, 17 * MIB]
    for start, end in pairwise(cuts):
        await send_cut(gateway, client, path, start, data[start:end], len(data) - start)
        assert await offset_of(client, url) == end
    answer = await patch(client, url, cuts[-1], data[cuts[-1] :], last=True)
    assert answer.status == 200, answer.body
    stored = await client.request("GET", answer.json()["file"]["url"])
    assert stored.body == data


async def test_a_request_at_another_offset_gets_the_right_one(client: Client) -> None:
    url = (await begin(client)).headers["Location"]
    assert (await patch(client, url, 0, b"first", last=False)).status == 204
    answer = await patch(client, url, 3, b"st", last=False)
    assert answer.status == 409
    assert answer.headers["Upload-Offset"] == "5"
    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.json()["type"].endswith("#mismatching-upload-offset")
    assert answer.json()["expected-offset"] == 5


async def test_a_file_longer_than_announced_ends_the_upload(client: Client) -> None:
    url = (await begin(client, {"Upload-Length": "10"})).headers["Location"]
    answer = await patch(client, url, 0, b"eleven byte", last=False)
    assert answer.status == 400
    assert answer.json()["type"].endswith("#inconsistent-upload-length")
    gone = await client.request("HEAD", url, headers={"Upload-Draft-Interop-Version": "8"})
    assert gone.status == 410


async def test_an_upload_is_cancelled_and_nothing_is_left_of_it(client: Client) -> None:
    url = (await begin(client)).headers["Location"]
    assert (await patch(client, url, 0, b"first", last=False)).status == 204
    draft = {"Upload-Draft-Interop-Version": "8"}
    assert (await client.request("DELETE", url, headers=draft)).status == 204
    assert (await client.request("HEAD", url, headers=draft)).status == 410
    assert (await patch(client, url, 5, b"more", last=True)).status == 410


async def test_another_subjects_upload_does_not_exist(client: Client) -> None:
    url = (await begin(client)).headers["Location"]
    other = client.as_another(TOKENS["bob"])
    assert (await patch(other, url, 0, b"first", last=False)).status == 404
    draft = {"Upload-Draft-Interop-Version": "8"}
    assert (await other.request("HEAD", url, headers=draft)).status == 404
    assert (await other.request("DELETE", url, headers=draft)).status == 404
    assert await offset_of(client, url) == 0


async def test_the_resource_says_how_far_an_upload_is(client: Client) -> None:
    begun = await begin(client, {"Upload-Length": "100"})
    await patch(client, begun.headers["Location"], 0, b"first", last=False)
    resource = await client.resource(begun.upload_id)
    assert resource["state"] == "receiving"
    assert (resource["offset"], resource["length"]) == (5, 100)
    answer = await client.request("GET", begun.headers["Location"])
    assert answer.headers["Upload-Offset"] == "5"


async def test_a_creation_with_a_key_is_carried_out_once(client: Client) -> None:
    first = await begin(client, {"Idempotency-Key": "a key"})
    url = first.headers["Location"]
    await patch(client, url, 0, files.PNG[:50], last=False)
    again = await begin(client, {"Idempotency-Key": "a key"})
    assert again.headers["Location"] == url
    assert again.headers["Upload-Offset"] == "50"
    answer = await patch(client, url, 50, files.PNG[50:], last=True)
    assert answer.status == 200, answer.body
    complete = await begin(client, {"Idempotency-Key": "a key"})
    assert complete.headers["Location"] == url
    assert complete.headers["Upload-Complete"] == "?1"


async def test_the_last_request_may_be_repeated(client: Client) -> None:
    url = (await begin(client)).headers["Location"]
    assert (await patch(client, url, 0, files.PNG, last=True)).status == 200
    again = await patch(client, url, len(files.PNG), b"", last=True)
    assert again.status == 200
    assert again.json()["file"]["size"] == len(files.PNG)


async def test_a_complete_upload_accepts_no_more_bytes(client: Client) -> None:
    url = (await begin(client, {"Upload-Length": str(len(files.PNG))})).headers["Location"]
    assert (await patch(client, url, 0, files.PNG, last=False)).status == 200
    answer = await patch(client, url, len(files.PNG), b"more", last=True)
    assert answer.status == 400
    assert answer.json()["type"].endswith("#inconsistent-upload-length")
    assert (await patch(client, url, len(files.PNG), b"", last=True)).status == 200


async def test_an_upload_is_cancelled_without_any_field_of_the_draft(client: Client) -> None:
    url = (await begin(client)).headers["Location"]
    assert (await client.request("DELETE", url)).status == 204
    assert (await client.request("HEAD", url)).status == 410


async def test_a_body_of_unknown_length_that_is_too_long_ends_the_upload(client: Client) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield files.PNG  # all of it, and only then too much
        await asyncio.sleep(0.2)
        yield b"more"

    url = (await begin(client, {"Upload-Length": str(len(files.PNG))})).headers["Location"]
    headers = DRAFT | {
        "Upload-Offset": "0",
        "Upload-Complete": "?1",
        "Content-Type": "application/partial-upload",
    }
    answer = await client.request("PATCH", url, data=body(), headers=headers)
    assert answer.status == 413
    assert (await client.request("HEAD", url)).status == 410
    assert (await client.resource(url.rpartition("/")[2]))["state"] == "aborted"


async def test_an_encoded_part_is_refused(client: Client) -> None:
    begun = await create(client, {"Upload-Length": "100"})
    encoded = {"Content-Encoding": "gzip"}
    assert (await tus_patch(client, begun.headers["Location"], 0, b"x", encoded)).status == 415


async def test_an_empty_file_is_refused(client: Client) -> None:
    url = (await begin(client)).headers["Location"]
    assert (await patch(client, url, 0, b"", last=True)).status == 400


@pytest.mark.usefixtures("sandbox_server")
async def test_relayed_files_come_in_one_multipart_request(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with Gateway.start(environ, tmp_path) as gateway:
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            answer = await client.request("POST", f"/gateway/raw{PATH}", data=files.PNG)
            tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
            by_tus = await client.request("POST", f"/gateway/tus{PATH}", headers=tus)
    assert answer.status == by_tus.status == 422
    assert answer.json()["type"].endswith(":not-hosted")


# --- tus ------------------------------------------------------------------------------------------


async def test_a_file_by_tus_is_registered(client: Client) -> None:
    data = files.PNG.ljust(3 * MIB, b"\0")
    begun = await create(client, {"Upload-Length": str(len(data))})
    assert begun.status == 201, begun.body
    url = begun.headers["Location"]
    for start in range(0, len(data), MIB):
        answer = await tus_patch(client, url, start, data[start : start + MIB])
        assert answer.status == 204, answer.body
        assert answer.headers["Upload-Offset"] == str(start + MIB)
    resource = await client.end_of(begun.upload_id)
    assert resource["state"] == "registered"
    assert resource["file"]["name"] == "cat.png"
    state = await client.request("HEAD", url, headers=TUS)
    assert (state.status, state.headers["Upload-Offset"]) == (200, str(len(data)))


async def test_the_query_of_a_tus_creation_reaches_the_upstream(client: Client) -> None:
    answer = await client.request(
        "POST",
        f"/gateway/tus{PATH}?grant=a%20b",
        headers=TUS | {"Upload-Length": str(len(files.PNG))},
    )
    place = answer.headers["Location"]
    assert (await tus_patch(client, place, 0, files.PNG)).status == 204
    ended = await client.end_of(answer.upload_id)
    assert (ended["state"], ended["target"]["path"]) == ("registered", f"{PATH}?grant=a%20b")


async def test_a_creation_by_tus_may_bring_the_file(client: Client) -> None:
    begun = await create(client, {"Upload-Length": str(len(files.PNG))}, files.PNG)
    assert begun.status == 201, begun.body
    assert begun.headers["Upload-Offset"] == str(len(files.PNG))
    assert (await client.end_of(begun.upload_id))["state"] == "registered"


async def test_the_length_may_be_announced_later(client: Client) -> None:
    begun = await create(client, {"Upload-Defer-Length": "1"})
    url = begun.headers["Location"]
    assert (await tus_patch(client, url, 0, files.PNG[:20])).status == 204
    state = await client.request("HEAD", url, headers=TUS)
    assert state.headers["Upload-Defer-Length"] == "1"
    assert state.headers["Upload-Metadata"].startswith("filename ")
    length = {"Upload-Length": str(len(files.PNG))}
    assert (await tus_patch(client, url, 20, files.PNG[20:], length)).status == 204
    assert (await client.end_of(begun.upload_id))["state"] == "registered"


async def test_content_without_its_checksum_does_not_count(client: Client) -> None:
    begun = await create(client, {"Upload-Length": "100"})
    url = begun.headers["Location"]

    def checksum(data: bytes) -> dict[str, str]:
        return {"Upload-Checksum": f"sha1 {b64encode(hashlib.sha1(data).digest()).decode()}"}

    assert (await tus_patch(client, url, 0, b"good", checksum(b"good"))).status == 204
    answer = await tus_patch(client, url, 4, b"bad", checksum(b"dab"))
    assert answer.status == 460
    state = await client.request("HEAD", url, headers=TUS)
    assert state.headers["Upload-Offset"] == "4"


async def test_tus_ends_an_upload_by_another_method_too(client: Client) -> None:
    url = (await create(client, {"Upload-Length": "100"})).headers["Location"]
    override = TUS | {"X-HTTP-Method-Override": "DELETE"}
    assert (await client.request("POST", url, headers=override)).status == 204
    assert (await client.request("HEAD", url, headers=TUS)).status == 410


async def test_a_client_that_waits_gets_chatkittys_answer(client: Client) -> None:
    length = {"Upload-Length": str(len(files.PNG)), "Prefer": "wait=25"}
    url = (await create(client, length)).headers["Location"]
    answer = await tus_patch(client, url, 0, files.PNG)
    assert answer.status == 200
    assert answer.json()["file"]["size"] == len(files.PNG)


async def test_tus_says_what_it_supports(client: Client) -> None:
    answer = await client.request("OPTIONS", f"/gateway/tus{PATH}")
    assert answer.status == 204
    assert "creation-defer-length" in answer.headers["Tus-Extension"]
    assert int(answer.headers["Tus-Max-Size"]) > 0
