"""Whole requests of mobile clients, byte for byte, through both deliveries and both engines."""

import hashlib
import json
import re
from typing import Any, Final

import pytest

from tests import captures
from tests.captures import Capture, Part
from tests.captures.mobile import mobiles
from tests.flows.client import Client
from tests.flows.raw import RawAnswer, exchange

_NAMES: Final = {mobile.name for mobile in mobiles()}
SENT: Final = [capture for capture in captures.load_all() if capture.name in _NAMES]
READ: Final = [capture for capture in SENT if not capture.ambiguous]
_FIELDS: Final[dict[str, dict[str, object]]] = {
    "alamofire-5.12-upload-task": {"groupTag": "cats"},
    "dart-http-1.6-fields-first": {"groupTag": "gâteaux"},
    "dio-5.11-fields-first": {"groupTag": "gâteaux"},
    "ktor-3-dash-first": {"properties": {"a": 1}},
    "okhttp-5.4-form": {"groupTag": "cats"},
    "retrofit-okhttp-4.12-json-fields": {"groupTag": "cats"},
    "rn-0.77-android-agent": {"groupTag": "cats"},
    "rn-0.77-ios": {"groupTag": "cats"},
}
"""What each message says next to its file."""
_TYPES: Final = {"jpg": "image/jpeg", "JPG": "image/jpeg", "heic": "image/heic"} | {
    "pdf": "application/pdf"
}


async def _send(client: Client, capture: Capture) -> RawAnswer:
    """The captured bytes, with this client's token, on a connection that ends with the answer."""
    head, body = capture.request.split(b"\r\n\r\n", 1)
    kept = [
        line
        for line in head.decode().split("\r\n")
        if not re.match("authorization:|connection:", line, re.IGNORECASE)
    ]
    lines = [*kept, f"Authorization: Bearer {client.token}", "Connection: close"]
    return await exchange(client.url, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def _file(capture: Capture) -> Part:
    (file,) = (part for part in capture.parts if part.name == "file")
    return file


async def _assert_is_the_file(client: Client, described: dict[str, Any], file: Part) -> None:
    assert described["size"] == file.size
    served = await client.request("GET", described["url"])
    assert hashlib.sha256(served.body).hexdigest() == file.sha256


def test_the_captures_are_what_their_builders_make() -> None:
    assert {each.name: each.request for each in mobiles()} == {c.name: c.request for c in SENT}


@pytest.mark.parametrize("capture", READ, ids=[each.name for each in READ])
async def test_a_hosted_file_is_the_one_that_was_sent(capture: Capture, external: Client) -> None:
    answer = await _send(external, capture)
    assert answer.status == 200, answer.data
    message = json.loads(answer.body)
    file = _file(capture)
    assert file.filename is not None
    described = message["file"]
    assert (described["type"], described["name"]) == ("EXTERNAL", file.filename)
    assert described["contentType"] == _TYPES[file.filename.rpartition(".")[2]]
    await _assert_is_the_file(external, described, file)
    for name, value in _FIELDS.get(capture.name, {}).items():
        assert message[name] == value


@pytest.mark.parametrize("capture", READ, ids=[each.name for each in READ])
async def test_a_relayed_file_is_the_one_that_was_sent(capture: Capture, relay: Client) -> None:
    answer = await _send(relay, capture)
    assert answer.status == 200, answer.data
    message = json.loads(answer.body)
    assert message["file"]["type"] == "HOSTED"
    await _assert_is_the_file(relay, message["file"], _file(capture))
    (upload_id,) = re.findall(rb"\r\nUpload-Id: ([^\r]+)", answer.data)
    end = await relay.end_of(upload_id.decode())
    assert (end["state"], end.get("ambiguities", [])) == ("audited", []), end


async def test_a_name_that_ends_its_own_header_is_refused_by_its_line(external: Client) -> None:
    (capture,) = (each for each in SENT if each.ambiguous)
    answer = await _send(external, capture)
    assert answer.status == 400
    detail = json.loads(answer.body)["detail"]
    assert "line 1 (Content-Disposition) of the headers of part 1 (`file`)" in detail
    assert "%22" in detail
