"""A token that expires during its upload: the upload stays authorised, up to a limit."""

import asyncio
import json
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.flows import files
from tests.flows.client import PATIENCE
from tests.flows.raw import FORM_TYPE, RawAnswer, form, head
from tests.identity.door import PATH, Door
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.provider import Provider
from tests.servers.sandbox import Sandbox
from tests.servers.zygote import ForkedPart

pytestmark = pytest.mark.slow

LIVES = (2, 4, 8, 16)
"""Lives of a token in seconds; the next is tried if a head came too late for the last."""

BODY = form(files.PNG)
HALF = len(BODY) // 2


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_a_relay_outlives_its_token(
    trusting: StartGateway, provider: Provider, engine: str
) -> None:
    gateway = trusting(engine=engine, auth_leeway="0")
    async with Door.of(gateway, provider) as door:
        await _assert_outlived(gateway, door)


async def test_a_hosted_upload_outlives_its_token(
    trusting: StartGateway,
    provider: Provider,
    everything: tuple[ForkedPart, Sandbox],
) -> None:
    _, sandbox = everything
    gateway = trusting(delivery="external", upstream_url=sandbox.url, auth_leeway="0")
    async with Door.of(gateway, provider) as door:
        await _assert_outlived(gateway, door)


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_an_upload_that_outlives_its_token_too_long_is_refused(
    trusting: StartGateway, provider: Provider, engine: str
) -> None:
    gateway = trusting(engine=engine, auth_leeway="0", auth_upload_grace="0")
    async with Door.of(gateway, provider) as door:
        answer = await _answer_to(gateway, door, BODY[HALF:-1])  # not yet the last byte
        assert answer.status == 401
        assert b'error="invalid_token"' in answer.data
        assert answer.json()["type"].endswith(":authorization-ended")


@dataclass
class Upload:
    """An upload in progress: the second half is still to be sent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> "Whole":
        async with asyncio.timeout(PATIENCE):
            data = await self.reader.readuntil(b"\r\n\r\n")
            while data.count(b"{") != data.count(b"}") or not data.endswith(b"}"):
                data += await self.reader.read(65_536)
        return Whole(data, closed=False)


class Whole(RawAnswer):
    """An answer with one JSON object as its body."""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def upload_id(self) -> str:
        found = re.search(rb"(?i)\r\nupload-id: (\S+)", self.data)
        assert found is not None, self.data
        return found[1].decode()


async def _answer_to(gateway: Gateway, door: Door, rest: bytes) -> Whole:
    """The answer to an admitted upload, if its token expires before the rest is sent."""
    for life in LIVES:
        upload = await _upload_whose_token_has_ended(gateway, door, life)
        upload.writer.write(rest)
        answer = await upload.answer()
        upload.writer.write(BODY[HALF + len(rest) :])  # aiohttp waits for it, even beyond the end
        upload.writer.close()
        if b":invalid-token" not in answer.data:
            return answer
    pytest.fail("the machine is too slow for any of the tokens")


async def _upload_whose_token_has_ended(gateway: Gateway, door: Door, life: int) -> Upload:
    ends = int(time.time()) + life
    token = await door.provider.token(exp=ends)
    # Once the token is known, the fast engine serves its upload.
    await door.client.as_another(token).request("GET", "/gateway/uploads")
    address = urlsplit(gateway.url)
    upload = Upload(*await asyncio.open_connection(address.hostname, address.port))
    length = f"Content-Length: {len(BODY)}"
    bearer = f"Authorization: Bearer {token}"
    upload.writer.write(head(PATH, bearer, FORM_TYPE, length) + BODY[:HALF])
    await upload.writer.drain()
    await asyncio.sleep(max(0.0, ends - time.time()) + 0.2)
    return upload


async def _assert_outlived(gateway: Gateway, door: Door) -> None:
    """It is accepted, and its record says what happened, only to its own subject."""
    answer = await _answer_to(gateway, door, BODY[HALF:])
    assert answer.status == 200, answer.data
    carol = door.client.as_another(await door.new_token())
    resource = await carol.resource(answer.upload_id)
    taken = next(c["at"] for c in resource["history"] if c["state"] in {"relayed", "stored"})
    assert resource["outlivedToken"] is True
    assert resource["history"][0]["at"] < resource["tokenUntil"] < taken

    dave = door.client.as_another(await door.provider.token(sub="dave"))
    assert (await dave.request("GET", f"/gateway/uploads/{resource['id']}")).status == 404
    in_time = await carol.upload(PATH, files.PNG)
    assert "outlivedToken" not in await carol.resource(in_time.upload_id)
