"""`external`, from the client's request to the message at ChatKitty."""

import hashlib
import json

import google_crc32c
import pytest

from gateway.store.s3 import S3Store
from gateway.uploads import keys
from tests.flows import files
from tests.flows.client import Answer, Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, THREAD, TOKENS, Sandbox

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"
PATIENT = {"Prefer": "wait=100"}
"""For what takes a worker almost as long as a gateway waits by default."""


async def assert_nothing_is_left(store: S3Store, upload_id: str) -> None:
    assert [info.key async for info in store.list(keys.incoming(upload_id))] == []
    assert [info.key async for info in store.list(keys.pending(upload_id))] == []
    unfinished = [upload.key async for upload in store.list_multipart_uploads(keys.INCOMING)]
    assert keys.incoming(upload_id) not in unfinished


async def test_a_file_becomes_an_external_message(external: Client, sandbox: Sandbox) -> None:
    answer = await external.upload(
        CHANNEL_PATH,
        files.PNG,
        name="cat.png",
        content_type="image/png",
        fields={"groupTag": "g1", "properties": '{"é": [1]}', "username": "jane@chatkitty.com"},
    )
    assert answer.status == 200, answer.body
    message = answer.json()
    assert message["type"] == "FILE"
    assert message["user"]["name"] == "jane@chatkitty.com"
    assert (message["groupTag"], message["properties"]) == ("g1", {"é": [1]})
    file = message["file"]
    assert (file["type"], file["contentType"], file["name"]) == ("EXTERNAL", "image/png", "cat.png")
    assert file["size"] == len(files.PNG)
    assert message in await sandbox.messages()


async def test_the_external_url_serves_the_very_bytes_with_the_sniffed_type(
    external: Client,
) -> None:
    answer = await external.upload(
        CHANNEL_PATH, files.JPEG, name="file.png", content_type="image/png"
    )
    file = answer.json()["file"]
    assert file["contentType"] == "image/jpeg"
    served = await external.request("GET", file["url"] + "?grant=x")
    assert served.status == 200
    assert served.body == files.JPEG
    assert served.headers["Content-Type"] == "image/jpeg"


async def test_a_reader_can_ask_for_the_head_and_for_a_range(external: Client) -> None:
    answer = await external.upload(CHANNEL_PATH, files.PNG, name="a.png")
    url = answer.json()["file"]["url"]
    head = await external.request("HEAD", url)
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(files.PNG)))
    part = await external.request("GET", url, headers={"Range": "bytes=1-3"})
    assert (part.status, part.body) == (206, files.PNG[1:4])


async def test_an_active_file_cannot_act_in_the_gateways_origin(external: Client) -> None:
    answer = await external.upload(CHANNEL_PATH, files.SVG, name="a.svg")
    served = await external.request("GET", answer.json()["file"]["url"])
    assert served.body == files.SVG
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert served.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in served.headers["Content-Security-Policy"]


async def test_no_other_url_serves_anything(external: Client) -> None:
    answer = await external.upload(CHANNEL_PATH, files.PNG, name="a.png")
    url = answer.json()["file"]["url"]
    base, token, name = url.rsplit("/", 2)
    for other in (token.swapcase(), token[:-2], "x" * 43, answer.upload_id):
        refused = await external.request("GET", f"{base}/{other}/{name}")
        assert refused.status == 404
        assert refused.json()["type"].endswith("file-not-found")


async def test_names_are_spelt_as_the_paths_generation_spells_them(
    external: Client, sandbox: Sandbox
) -> None:
    answer = await external.upload(
        f"/threads/{THREAD}/messages", files.PNG, name="a.png", fields={"group_tag": '"quoted"'}
    )
    message = answer.json()
    assert message["group_tag"] == "quoted"
    assert message["file"]["content_type"] == "image/png"
    assert len(await sandbox.messages(f"threads/{THREAD}")) > 0


async def test_a_display_picture_is_the_hosted_file(external: Client) -> None:
    answer = await external.upload("/v1/users/1/display-picture", files.PNG, name="me.png")
    assert answer.status == 200, answer.body
    url = answer.json()["displayPictureUrl"]
    assert "/gateway/files/" in url
    assert (await external.request("GET", url)).body == files.PNG


async def test_only_the_subject_can_read_the_upload_resource(external: Client) -> None:
    answer = await external.upload(
        CHANNEL_PATH, files.PDF, name="a b.pdf", content_type="text/plain"
    )
    resource = await external.resource(answer.upload_id)
    states = [change["state"] for change in resource["history"]]
    assert states == ["receiving", "stored", "inspected", "registered"]
    assert resource["target"] == {"method": "POST", "path": CHANNEL_PATH}
    file = resource["file"]
    assert (file["name"], file["size"]) == ("a b.pdf", len(files.PDF))
    assert (file["contentType"], file["declaredContentType"]) == ("application/pdf", "text/plain")
    assert file["digests"] == {"crc32c": f"{google_crc32c.value(files.PDF):08x}"}
    bob = external.as_another(TOKENS["bob"])
    for stranger in (bob, external):
        path = f"/gateway/uploads/{answer.upload_id if stranger is bob else 'x'}"
        refused = await stranger.request("GET", path)
        assert (refused.status, refused.json()["type"][-16:]) == (404, "upload-not-found")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("delivery", ["relay", "external"])
async def test_a_sha256_is_returned_if_it_is_configured(
    delivery: str, start_gateway: StartGateway
) -> None:
    gateway = start_gateway(delivery=delivery, hash="sha256")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        answer = await client.upload(CHANNEL_PATH, files.PDF, name="a.pdf")
        resource = await client.resource(answer.upload_id)
    assert resource["file"]["digests"] == {
        "crc32c": f"{google_crc32c.value(files.PDF):08x}",
        "sha256": hashlib.sha256(files.PDF).hexdigest(),
    }


async def test_a_subject_lists_its_own_uploads(external: Client) -> None:
    ids = [(await external.upload(CHANNEL_PATH, files.PNG)).upload_id for _ in range(3)]
    first = (await external.request("GET", "/gateway/uploads?size=2&state=registered")).json()
    assert [upload["id"] for upload in first["uploads"]] == [ids[2], ids[1]]
    assert "state=registered" in first["next"]
    assert "size=2" in first["next"]
    second = (await external.request("GET", first["next"])).json()
    assert second["uploads"][0]["id"] == ids[0]
    bobs = (await external.as_another(TOKENS["bob"]).request("GET", "/gateway/uploads")).json()
    assert not {upload["id"] for upload in bobs["uploads"]} & set(ids)


async def test_a_client_may_ask_not_to_wait(external: Client) -> None:
    answer = await external.upload(CHANNEL_PATH, files.PNG, headers={"Prefer": "respond-async"})
    assert answer.status == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.headers["Location"] == f"/gateway/uploads/{answer.upload_id}"
    assert answer.json()["id"] == answer.upload_id
    assert (await external.end_of(answer.upload_id))["state"] == "registered"


async def test_a_client_that_waits_no_longer_finds_the_end_at_the_resource(
    external: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, delay=4.0)
    answer = await external.upload(CHANNEL_PATH, files.PNG, headers={"Prefer": "wait=1"})
    assert (answer.status, answer.headers["Preference-Applied"]) == (202, "wait=1")
    assert (await external.end_of(answer.upload_id))["state"] == "registered"


@pytest.mark.parametrize(
    ("data", "name"),
    [(files.EXE, "photo.png"), (files.APK, "photo.zip"), (b"#!/bin/sh\nrm -rf /\n", "notes.txt")],
)
async def test_a_program_is_rejected_whatever_it_is_called(
    external: Client, sandbox: Sandbox, store: S3Store, data: bytes, name: str
) -> None:
    before = await sandbox.messages()
    answer = await external.upload(CHANNEL_PATH, data, name=name, content_type="image/png")
    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["type"].endswith("denied-type")
    assert "are not accepted here" in problem["detail"]
    assert await sandbox.messages() == before
    await assert_nothing_is_left(store, answer.upload_id)
    assert (await external.resource(answer.upload_id))["state"] == "rejected"


async def test_a_document_in_a_zip_is_known_by_its_directory(external: Client) -> None:
    answer = await external.upload(
        CHANNEL_PATH, files.DOCX, name="a.docx", content_type="application/zip"
    )
    assert answer.json()["file"]["contentType"] == files.DOCX_TYPE


async def test_the_upstreams_refusal_reaches_the_client(external: Client, store: S3Store) -> None:
    answer = await external.upload("/v1/channels/999/messages", files.PNG)
    assert answer.status == 404
    assert answer.json()["error"] == "ResourceNotFoundError"
    assert (await external.resource(answer.upload_id))["state"] == "rejected"
    await assert_nothing_is_left(store, answer.upload_id)


async def test_an_upstream_that_is_down_for_a_moment_costs_only_time(
    external: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, status=503, headers={"Retry-After": "1"})
    answer = await external.upload(CHANNEL_PATH, files.PNG)
    assert answer.status == 200
    assert answer.json()["file"]["type"] == "EXTERNAL"


async def assert_registered_once(answer: Answer, sandbox: Sandbox) -> None:
    assert answer.status == 200, answer.body
    url = answer.json()["file"]["url"]
    urls = [message["file"]["url"] for message in await sandbox.messages() if "file" in message]
    assert urls.count(url) == 1


async def test_a_cut_answer_leaves_exactly_one_message(external: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, cut="after")
    answer = await external.upload(CHANNEL_PATH, files.PNG)
    await assert_registered_once(answer, sandbox)


@pytest.mark.slow
async def test_a_message_that_is_not_listed_yet_is_waited_for(
    external: Client, sandbox: Sandbox
) -> None:
    nothing = {"page": {"size": 0}, "_links": {}}
    await sandbox.fault("POST", CHANNEL_PATH, cut="after")
    await sandbox.fault("GET", CHANNEL_PATH, status=200, body=nothing)
    answer = await external.upload(CHANNEL_PATH, files.PNG, headers=PATIENT)
    await assert_registered_once(answer, sandbox)


async def test_a_display_picture_is_set_again_after_a_cut_answer(
    external: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", "/v1/users/1/display-picture", cut="after")
    answer = await external.upload("/v1/users/1/display-picture", files.PNG, name="me.png")
    assert answer.status == 200, answer.body


@pytest.mark.slow
async def test_a_request_that_was_cut_before_it_was_read_is_sent_again(
    external: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, cut="before")
    answer = await external.upload(CHANNEL_PATH, files.PNG, headers=PATIENT)
    await assert_registered_once(answer, sandbox)


async def test_a_file_of_several_parts_arrives_whole(external: Client) -> None:
    data = b"".join(bytes([number % 256]) * 65_536 for number in range(330))
    answer = await external.upload(CHANNEL_PATH, data, name="big.bin")
    assert answer.status == 200, answer.body
    served = await external.request("GET", answer.json()["file"]["url"])
    assert hashlib.sha256(served.body).digest() == hashlib.sha256(data).digest()


async def test_the_record_keeps_no_token(external: Client, store: S3Store) -> None:
    answer = await external.upload(CHANNEL_PATH, files.PNG)
    document, *_ = await store.get(keys.record(answer.upload_id))
    assert TOKENS["alice"] not in document.decode()
    assert json.loads(document)["authorization"] is None
