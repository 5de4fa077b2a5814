"""ChatKitty's own SDKs and its documented curl, unmodified, through the gateway."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.clients.curl import documented_upload, run_curl
from tests.clients.drivers import Account, Form, node_argv, python_argv, run_driver
from tests.clients.samples import GROUP_TAG, PROPERTIES, png, write_form

pytestmark = pytest.mark.usefixtures("worker")

KIND = {"relay": "HOSTED", "plain_relay": "HOSTED", "external": "EXTERNAL"}


@pytest.fixture
def form(tmp_path: Path) -> Form:
    return write_form(tmp_path)


async def assert_is_the_file(message: dict[str, Any], delivery: str) -> None:
    """The message tells of the very file, in either generation's spelling."""
    file = message["file"]
    content_type = file.get("contentType", file.get("content_type"))
    assert (file["type"], file["name"]) == (KIND[delivery], "f.png")
    assert (content_type, file["size"]) == ("image/png", len(png()))
    assert message.get("groupTag", message.get("group_tag")) == GROUP_TAG
    assert message["properties"] == json.loads(PROPERTIES)
    async with (
        aiohttp.ClientSession() as session,
        session.get(file["url"] + "?grant=x") as answer,
    ):
        assert await answer.read() == png()


async def test_the_platform_sdk_uploads(
    node: Path, account: Account, form: Form, delivery: str
) -> None:
    calls = ("sendChannelMessage", "updateUserDisplayPicture", "importUsers")
    answers = await run_driver(node_argv(node, "psdk.mjs", account, form, calls))
    assert {call: answer.status for call, answer in answers.items()} == {
        "sendChannelMessage": 200,
        "updateUserDisplayPicture": 200,
        "importUsers": 202,
    }
    await assert_is_the_file(answers["sendChannelMessage"].body, delivery)
    assert answers["updateUserDisplayPicture"].body["id"] == 1


async def test_the_current_sdk_uploads(
    node: Path, account: Account, tmp_path: Path, delivery: str
) -> None:
    form = write_form(tmp_path, snake_case=True)
    sends = ("sendChannelMessage", "sendChannelMessage.form-data")
    calls = (*sends, "updateUserDisplayPicture", "importUsers")
    answers = await run_driver(node_argv(node, "ck2.mjs", account, form, calls))
    assert [answers[call].status for call in calls] == [200, 200, 200, 202]
    for call in sends:
        await assert_is_the_file(answers[call].body, delivery)


async def test_the_python_sdk_uploads(
    python_sdk: Path, account: Account, form: Form, delivery: str
) -> None:
    calls = (
        "call_api.channel_message",
        "call_api.display_picture",
        "update_user_display_picture",
        "import_users",
    )
    answers = await run_driver(python_argv(python_sdk, account, form, calls))
    assert [answers[call].status for call in calls[:3]] == [200, 200, 200]
    await assert_is_the_file(answers["call_api.channel_message"].body, delivery)
    # The SDK sends its objects' repr instead of JSON, which ChatKitty has to refuse.
    assert answers["import_users"].status == 400
    assert answers["import_users"].body["error"] == "ClientError"


@pytest.mark.parametrize("variant", ["documented", "two boundaries", "chunked"])
async def test_the_documented_curl_uploads(
    account: Account, form: Form, delivery: str, variant: str
) -> None:
    content_type = "multipart/form-data" + "; boundary=mine" * (variant == "two boundaries")
    headers = ("Transfer-Encoding: chunked",) if variant == "chunked" else ()
    answer = await run_curl(
        documented_upload(
            f"{account.base_url}/v1/channels/{account.channel}/messages",
            account.access_token,
            form.file,
            {"groupTag": GROUP_TAG, "properties": PROPERTIES},
            content_type=content_type,
            headers=headers,
        )
    )
    assert answer.status == 200, answer.body
    await assert_is_the_file(answer.body, delivery)


async def test_curl_asks_before_it_sends_a_large_file(
    account: Account, tmp_path: Path, delivery: str
) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(range(256)) * 8192)
    url = f"{account.base_url}/v1/channels/{account.channel}/messages"
    answer = await run_curl(documented_upload(url, account.access_token, file))
    assert (answer.status, answer.body["file"]["size"]) == (200, file.stat().st_size)
    assert answer.body["file"]["type"] == KIND[delivery]
    refused = await run_curl(documented_upload(url, "no-token", file))
    assert (refused.status, refused.body["error"]) == (401, "unauthorized")
