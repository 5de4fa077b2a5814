"""`relay`: ChatKitty gets what the client sends, and workers check it afterwards."""

import json
from typing import Any

import google_crc32c
import pytest

from tests.flows import files
from tests.flows.client import Client
from tests.flows.files import zip_of
from tests.flows.raw import FORM_TYPE, chunked, exchange, form, head
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox
from tests.workers.keeping import long_movie
from tests.workers.test_real_files import FILES

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"


async def test_the_answer_is_chatkittys_own(relay: Client, sandbox: Sandbox) -> None:
    answer = await relay.upload(
        CHANNEL_PATH, files.PNG, name="cat.png", content_type="image/png", fields={"groupTag": "g"}
    )
    assert answer.status == 200
    message = answer.json()
    assert message["file"]["type"] == "HOSTED"
    assert message["groupTag"] == "g"
    assert message in await sandbox.messages()
    hosted = await relay.request("GET", message["file"]["url"] + "?grant=x")
    assert hosted.body == files.PNG
    assert answer.headers["X-Api-Version"]
    assert (await relay.end_of(answer.upload_id))["state"] == "audited"


async def test_the_resource_describes_what_was_relayed(relay: Client) -> None:
    answer = await relay.upload(CHANNEL_PATH, files.PNG, name="cat.png", content_type="image/png")
    resource = await relay.end_of(answer.upload_id)
    file = resource["file"]
    assert (file["size"], file["contentType"]) == (len(files.PNG), "image/png")
    assert file["digests"] == {"crc32c": f"{google_crc32c.value(files.PNG):08x}"}
    assert [change["state"] for change in resource["history"]] == [
        "receiving",
        "relayed",
        "audited",
    ]


async def test_a_wrong_label_that_chatkitty_believed_is_flagged(relay: Client) -> None:
    answer = await relay.upload(CHANNEL_PATH, files.JPEG, name="file.png", content_type="image/png")
    assert answer.json()["file"]["contentType"] == "image/png"
    resource = await relay.end_of(answer.upload_id)
    assert resource["state"] == "flagged"
    assert "image/jpeg" in resource["problem"]["detail"]


async def test_a_program_is_flagged(relay: Client) -> None:
    answer = await relay.upload(CHANNEL_PATH, files.EXE, name="a.png", content_type="image/png")
    assert answer.status == 200
    assert (await relay.end_of(answer.upload_id))["state"] == "flagged"


TOLD_ELSEWHERE = {
    "document.doc": "application/msword",
    "table.xls": "application/vnd.ms-excel",
    "slides.ppt": "application/vnd.ms-powerpoint",
    "large.docx": files.DOCX_TYPE,
    "large.zip": "application/zip",
    "film.mp4": "video/mp4",
    "voice.m4a": "audio/mp4",
}
"""Files that cannot be identified by their first 4 KiB, with their types."""


def told_elsewhere(name: str) -> bytes:
    if name in {"film.mp4", "voice.m4a"}:
        return long_movie("video" if name == "film.mp4" else "audio")
    if name.startswith("large."):
        first = () if name == "large.zip" else ("_rels/.rels", "word/document.xml")
        last = () if name == "large.zip" else ("[Content_Types].xml",)
        return zip_of(*first, *(f"word/media/{n}.png" for n in range(200)), *last)
    return (FILES / name).read_bytes()


@pytest.mark.slow
async def test_a_type_that_the_head_does_not_show_is_found_in_the_rest(relay: Client) -> None:
    for name, kind in TOLD_ELSEWHERE.items():
        data = told_elsewhere(name)
        assert len(data) > 4096
        answer = await relay.upload(CHANNEL_PATH, data, name=name, content_type=kind)
        resource = await relay.end_of(answer.upload_id)
        assert (resource["state"], resource["file"]["contentType"]) == ("audited", kind)
        answer = await relay.upload(CHANNEL_PATH, data, name="a.png", content_type="image/png")
        resource = await relay.end_of(answer.upload_id)
        assert resource["state"] == "flagged"
        assert kind in resource["problem"]["detail"]


async def test_a_flagged_message_can_be_deleted(
    start_gateway: StartGateway, relay: Client, sandbox: Sandbox
) -> None:
    gateway = start_gateway(on_mismatch="delete")
    client = Client(relay.session, gateway.url, relay.token)
    answer = await client.upload(CHANNEL_PATH, files.EXE, name="a.png", content_type="image/png")
    assert (await client.end_of(answer.upload_id))["state"] == "flagged"
    assert answer.json() not in await sandbox.messages()


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_the_body_arrives_byte_for_byte(
    relay: Client, sandbox: Sandbox, framing: str
) -> None:
    data = bytes(range(256)) * 1000
    body = form(data)
    if framing == "length":
        sent = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}") + body
    else:
        sent = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked")
        sent += chunked(body, 7000)
    answer = await exchange(relay.url, sent, until=b"}}}")
    assert answer.status == 200
    url = json.loads(answer.body)["file"]["url"]
    assert (await relay.request("GET", url)).body == data
    # A GET of a file is logged only once it is answered.
    posted = [each["bytes"] for each in await sandbox.requests() if each["method"] == "POST"]
    assert posted[-1] == len(body)


async def test_imports_are_relayed_wherever_files_are_hosted(external: Client) -> None:
    users = json.dumps([{"name": "x", "displayName": "X", "guest": False, "properties": {}}])
    answer = await external.upload("/v1/imports/users", users.encode(), name="users.json")
    assert (answer.status, answer.json()["type"]) == (202, "USER_IMPORT")
    assert (await external.end_of(answer.upload_id))["delivery"] == "relay"
    refused = await external.upload("/v1/imports/users", b"{'name': 'a'}", name="users.json")
    assert refused.status == 400
    assert refused.json()["error"] == "ClientError"


async def test_everything_else_passes_through(relay: Client) -> None:
    new = {"name": "new@example.com", "displayName": "New", "isGuest": True}
    created = await relay.request("POST", "/v1/users", json=new)
    assert created.status == 200
    path = f"/v1/users/{created.json()['id']}"
    got = await relay.request("GET", path)
    assert (got.json(), got.headers["X-Api-Version"]) == (created.json(), "v1.10.11")
    changed = await relay.request(
        "PATCH",
        path,
        data=b'{"displayName": "Newer"}',
        headers={"Content-Type": "application/json+merge-patch"},
    )
    assert changed.json()["displayName"] == "Newer"
    assert (await relay.request("HEAD", "/v1/users?name=new@example.com")).status == 200
    assert (await relay.request("HEAD", "/v1/users?name=nobody")).status == 404
    assert (await relay.request("DELETE", path)).status == 200
    gone = await relay.request("GET", path)
    assert (gone.status, gone.json()["error"]) == (404, "ResourceNotFoundError")


async def test_an_upstream_error_is_the_clients_answer(relay: Client) -> None:
    answer = await relay.upload("/v1/channels/999/messages", files.PNG)
    assert (answer.status, answer.json()["error"]) == (404, "ResourceNotFoundError")


async def test_an_answer_before_the_end_of_the_body_reaches_the_client(
    relay: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, status=429, headers={"Retry-After": "7"})
    start = head(CHANNEL_PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 10000000")
    answer = await exchange(relay.url, start + form(b"x" * 1000), until=b"\r\n\r\n")
    assert answer.status == 429
    assert b"Retry-After: 7" in answer.data


@pytest.mark.parametrize("fault", [{"cut": "before"}, {"cut_body_at": 65_536}])
async def test_an_upstream_that_breaks_off_is_a_502(
    relay: Client, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, **fault)
    answer = await relay.upload(CHANNEL_PATH, b"x" * 3_000_000)
    assert answer.status == 502
    assert answer.json()["type"].endswith("upstream-unavailable")


@pytest.mark.slow
async def test_a_silent_upstream_is_a_504(relay: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, delay=8.0)
    answer = await relay.upload(CHANNEL_PATH, files.PNG)
    assert answer.status == 504


async def test_a_slow_upstream_slows_the_client_and_loses_nothing(
    relay: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, read_rate=2_000_000)
    data = bytes(1_500_000)
    answer = await relay.upload(CHANNEL_PATH, data)
    assert answer.json()["file"]["size"] == len(data)
