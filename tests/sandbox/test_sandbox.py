"""What the specification does not say of the sandbox: real clients' oddities, faults, state."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.flows import files
from tests.flows.client import Client
from tests.flows.raw import FORM_TYPE, exchange, form, head
from tests.servers.sandbox import CHANNEL, THREAD, TOKENS, Sandbox

PATH = f"/v1/channels/{CHANNEL}/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"


async def test_the_current_generation_is_in_snake_case(client: Client) -> None:
    answer = await client.upload(
        f"/channels/{CHANNEL}/messages",
        files.PNG,
        fields={"group_tag": "g", "properties": '{"aB":1}'},
    )
    message = answer.json()
    assert {"channel_id", "created_time", "group_tag", "nested_level", "_links"} <= set(message)
    assert "content_type" in message["file"]
    assert message["properties"] == {"aB": 1}
    user = (await client.request("GET", "/users/1")).json()
    assert {"isGuest", "display_name", "display_picture_url"} <= set(user)


async def test_paths_may_be_nested_under_the_application(client: Client) -> None:
    answer = await client.request("GET", f"/v1/applications/1/channels/{CHANNEL}")
    assert answer.json()["id"] == CHANNEL


@pytest.mark.parametrize("encoding", ["multipart", "urlencoded", "password", "basic"])
async def test_a_token_is_given_in_every_way_that_is_documented(
    sandbox: Sandbox, encoding: str
) -> None:
    fields = {"grant_type": "client_credentials"}
    headers = {"Authorization": "Basic Y2xpZW50OnNlY3JldA=="}
    if encoding == "password":
        fields |= {"username": "client", "password": "secret"}
        headers = {}
    form = aiohttp.FormData(fields)
    if encoding == "multipart":
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("grant_type", "client_credentials")
    async with aiohttp.ClientSession() as session:
        url = f"{sandbox.url}/oauth/token"
        async with session.post(url, data=form, headers=headers) as answer:
            given = await answer.json()
        assert answer.status == 200, given
        assert given["token_type"] == "bearer"
        assert 43_000 < given["expires_in"] <= 43_200
        async with session.post(url, data=fields, headers=headers) as again:
            assert (await again.json())["access_token"] == given["access_token"]
        headers = {"Authorization": f"Bearer {given['access_token']}"}
        async with session.get(f"{sandbox.url}/v1/application", headers=headers) as answer:
            assert answer.status == 200


async def test_a_form_without_a_boundary_parameter_is_read_by_its_first_line(
    sandbox: Sandbox,
) -> None:
    body = form(files.PNG)
    request = head(
        PATH, AUTHORIZATION, "Content-Type: multipart/form-data", f"Content-Length: {len(body)}"
    )
    assert (await exchange(sandbox.url, request + body, until=b"}}}")).status == 200


async def test_of_two_boundary_parameters_the_last_one_counts(sandbox: Sandbox) -> None:
    body = form(files.PNG)
    content_type = "Content-Type: multipart/form-data; boundary=mine; boundary=b"
    request = head(PATH, AUTHORIZATION, content_type, f"Content-Length: {len(body)}")
    assert (await exchange(sandbox.url, request + body, until=b"}}}")).status == 200


async def test_of_several_files_the_first_one_counts(client: Client) -> None:
    several = aiohttp.FormData()
    several.add_field("file", files.PNG, filename="first.png", content_type="image/png")
    several.add_field("file", files.JPEG, filename="second.png", content_type="image/png")
    answer = await client.request("POST", PATH, data=several)
    assert answer.json()["file"]["name"] == "first.png"


async def test_a_runtime_upload_has_a_grant_and_json_parts(client: Client) -> None:
    path = f"/runtime/channels/{CHANNEL}/messages"
    granted = {"Grant": "WRITE", "Authorization": ""}
    answer = await client.upload(path, files.PNG, fields={"groupTag": '"g1"'}, headers=granted)
    assert answer.json()["groupTag"] == "g1"
    assert (await client.upload(path, files.PNG, headers={"Authorization": ""})).status == 401


async def test_a_part_without_a_filename_is_no_file(sandbox: Sandbox) -> None:
    body = form(files.PNG).replace(b'; filename="a.bin"', b"")
    request = head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}")
    answer = await exchange(sandbox.url, request + body, until=b"timestamp")
    assert answer.status == 400
    assert b"Required part 'file' is not present" in answer.body


async def test_a_file_with_an_empty_name_is_served(client: Client) -> None:
    answer = await client.upload(PATH, files.PNG, name="")
    assert answer.json()["file"]["name"] == ""
    assert (await client.request("GET", answer.json()["file"]["url"])).body == files.PNG


@pytest.mark.parametrize("body", [form(b""), form(b"x", name="other"), form(b"x")[:-9], b"nothing"])
async def test_a_form_without_a_whole_file_is_a_client_error(sandbox: Sandbox, body: bytes) -> None:
    before = await sandbox.messages()
    request = head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}")
    answer = await exchange(sandbox.url, request + body, until=b"timestamp")
    assert answer.status == 400
    assert b"ClientError" in answer.body
    assert await sandbox.messages() == before


async def test_a_hosted_file_is_served_with_ranges_and_grants(client: Client) -> None:
    answer = await client.upload(PATH, files.PNG, content_type="image/png")
    url = answer.json()["file"]["url"] + "?grant=x"
    whole = await client.request("GET", url, headers={"Authorization": ""})
    assert (whole.body, whole.headers["Content-Type"]) == (files.PNG, "image/png")
    part = await client.request("GET", url, headers={"Range": "bytes=2-5"})
    assert (part.status, part.body) == (206, files.PNG[2:6])
    assert (await client.request("HEAD", url)).headers["Content-Length"] == str(len(files.PNG))


async def test_messages_are_paged_by_cursor_newest_first(client: Client, sandbox: Sandbox) -> None:
    for number in range(5):
        await client.request(
            "POST", f"/v1/threads/{THREAD}/messages", json={"type": "TEXT", "body": str(number)}
        )
    expected = await sandbox.messages(f"threads/{THREAD}")
    found, path = [], f"/v1/threads/{THREAD}/messages?size=2"
    while path:
        page = (await client.request("GET", path)).json()
        found += page["_embedded"]["messages"]
        path = page["_links"].get("next", {}).get("href", "")
    assert found == expected
    assert [message["id"] for message in found] == sorted((m["id"] for m in found), reverse=True)


async def test_the_id_of_a_deleted_message_is_not_given_again(
    client: Client, sandbox: Sandbox
) -> None:
    first = (await client.upload(PATH, files.PNG)).json()["id"]
    deleted = await client.request("DELETE", f"/v1/messages/{first}")
    assert deleted.status == 200
    second = (await client.upload(PATH, files.PNG)).json()["id"]
    assert second > first
    listed = [message["id"] for message in await sandbox.messages()]
    assert listed.count(second) == 1
    assert first not in listed


async def test_pages_are_numbered_and_an_empty_one_embeds_nothing(client: Client) -> None:
    first = (await client.request("GET", "/v1/users?size=1")).json()
    assert (first["page"]["size"], first["page"]["number"]) == (1, 0)
    assert "next" in first["_links"]
    beyond = (await client.request("GET", "/v1/users?size=1&page=99")).json()
    assert "_embedded" not in beyond


async def test_a_status_fault_is_answered_as_often_as_it_was_asked_for(
    client: Client, sandbox: Sandbox
) -> None:
    await sandbox.fault(
        "GET", "/v1/users/*", times=2, after=1, status=503, headers={"Retry-After": "1"}
    )
    statuses = [(await client.request("GET", "/v1/users/1")).status for _ in range(4)]
    assert statuses == [200, 503, 503, 200]


async def test_a_cut_before_acts_on_nothing_and_a_cut_after_on_all(
    client: Client, sandbox: Sandbox
) -> None:
    for cut, made in (("before", 0), ("after", 1)):
        before = len(await sandbox.messages())
        await sandbox.fault("POST", PATH, cut=cut)
        with pytest.raises(aiohttp.ClientError):
            await client.upload(PATH, files.PNG)
        assert len(await sandbox.messages()) == before + made


async def test_a_body_is_cut_at_the_requested_byte(client: Client, sandbox: Sandbox) -> None:
    await sandbox.fault("POST", PATH, cut_body_at=65_536)
    with pytest.raises(aiohttp.ClientError):
        await client.upload(PATH, bytes(5_000_000))
    assert (await sandbox.requests())[-1]["bytes"] < 5_000_000


async def test_faults_are_shown_with_what_is_left_of_them(sandbox: Sandbox) -> None:
    await sandbox.fault("POST", "/v1/*", times=3, delay=0.5)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{sandbox.url}/sandbox/faults") as answer:
            (rule,) = await answer.json()
        assert (rule["times"], rule["fault"]) == (3, {"delay": 0.5})
        url = f"{sandbox.url}/sandbox/faults"
        for odd in (
            '[{"path": "/x", "fault": {"explode": true}}]',
            '[{"fault": {}}]',
            '{"a": "b"}',
        ):
            async with session.put(url, data=odd) as answer:
                assert answer.status == 400


async def test_the_log_tells_of_requests_and_never_of_tokens(
    client: Client, sandbox: Sandbox
) -> None:
    await client.upload(PATH, files.PNG)
    last = (await sandbox.requests())[-1]
    assert (last["method"], last["path"], last["status"]) == ("POST", PATH, 200)
    assert last["bytes"] > len(files.PNG)
    assert TOKENS["alice"] not in str(last)


@pytest.mark.slow
async def test_a_restart_forgets_nothing(data_dir: Path) -> None:
    with Sandbox.start(data_dir) as sandbox:
        async with Client.open(sandbox.url, TOKENS["alice"]) as client:
            message = (await client.upload(PATH, files.PNG)).json()
        port = int(sandbox.url.rpartition(":")[2])
    with Sandbox.start(data_dir, port) as sandbox:
        assert message in await sandbox.messages()
        async with Client.open(sandbox.url, TOKENS["alice"]) as client:
            assert (await client.request("GET", message["file"]["url"])).body == files.PNG


async def test_a_large_upload_does_not_fill_the_memory(client: Client, sandbox: Sandbox) -> None:
    size, chunk = 128 * 1024**2, bytes(1024**2)
    digest = hashlib.sha256()

    async def body() -> AsyncIterator[bytes]:
        yield form(b"").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        for _ in range(size // len(chunk)):
            digest.update(chunk)
            yield chunk
            await asyncio.sleep(0)
        yield b"\r\n--b--\r\n"

    process = psutil.Process(sandbox.pid)
    before = process.memory_info().rss
    answer = await client.request(
        "POST", PATH, data=body(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.json()["file"]["size"] == size
    assert process.memory_info().rss - before < 16 * 1024**2
