"""The runtime of the sandbox, as ChatKitty's own end-user SDK uses it, unmodified."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.clients.runtime import PATIENCE, Runtime
from tests.clients.samples import png
from tests.flows import files
from tests.flows.client import Client
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox

JANE = "jane@chatkitty.com"


@pytest.fixture
async def sdk(node: Path, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with Runtime.open(node, sandbox.url, tmp_path / "sdk.log") as opened:
        assert (await opened.call("start", username=JANE))["user"]["id"] == 1
        yield opened


async def test_the_sdk_uploads_and_receives_its_message(sdk: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "f.png"
    file.write_bytes(png())
    assert CHANNEL in [each["id"] for each in (await sdk.call("channels"))["channels"]]
    await sdk.call("open", id=CHANNEL)
    sent = await sdk.call("upload", path=str(file))
    assert sent["progress"][0] == "started"
    assert sent["progress"][-2:] == [1, {"completed": 0}]
    received = (await sdk.event("message"))["message"]
    assert received == sent["message"]
    assert (received["type"], received["user"]["name"]) == ("FILE", JANE)
    assert (received["groupTag"], received["properties"]) == ("g1", {"k": 1})
    assert received["file"]["contentType"] == "image/png"
    assert "?grant=read-" in received["file"]["url"]
    async with aiohttp.ClientSession() as session, session.get(received["file"]["url"]) as answer:
        assert await answer.read() == png()
    changed = await sdk.call("picture", path=str(file))
    assert changed["user"]["displayPictureUrl"].endswith("/f.png")


async def test_the_sdk_joins_a_channel_and_hears_what_others_send(
    sdk: Runtime, sandbox: Sandbox
) -> None:
    channel = await sandbox.new_channel()
    joined = await sdk.call("join", id=channel)
    assert "leave" in joined["channel"]["_actions"]
    await sdk.call("open", id=channel)
    said = await sdk.call("say", body="hello: there\n\\")
    assert said["message"]["body"] == "hello: there\n\\"
    assert (await sdk.event("message"))["message"] == said["message"]
    async with Client.open(sandbox.url, TOKENS["alice"]) as other:
        await other.upload(f"/v1/channels/{channel}/messages", files.PNG)
    assert (await sdk.event("message"))["message"]["type"] == "SYSTEM_FILE"


async def test_an_error_reaches_the_caller(sdk: Runtime, sandbox: Sandbox) -> None:
    channel = await sandbox.new_channel()
    await sdk.call("open", id=channel)
    assert (await sdk.call("say", body="x"))["error"]["error"] == "AccessDeniedError"


async def test_old_clients_ask_for_grants_in_their_own_spelling(sandbox: Sandbox) -> None:
    asked = ("v1/user.read_file_access_grant", "v1/users/me.write_file_access_grant")
    async with aiohttp.ClientSession() as session, _connected(session, sandbox) as socket:
        for number, place in enumerate(asked):
            await socket.send_str(
                f"SUBSCRIBE\nid:{number}\ndestination:/application/{place}.relay\n\n\0"
            )
            head, _, body = (await _next(socket)).partition("\n\n")
            assert f"subscription:{number}\n" in head
            kind = "write" if "write" in place else "read"
            assert json.loads(body[:-1])["resource"]["grant"].startswith(kind)


async def test_heart_beats_come_as_often_as_the_client_wants(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as session, _connected(session, sandbox, 20) as socket:
        for _ in range(3):
            assert await _next(socket) == "\n"


@pytest.mark.parametrize(
    "frames",
    [
        ["CONNECT\n\n\0"],
        ["SEND\ndestination:/x\n\n\0"],
        ["no frame"],
        [f"CONNECT\nStompX-User:{JANE}\n\n\0", "NONE\n\n\0"],
    ],
)
async def test_what_is_no_session_ends_with_an_error(sandbox: Sandbox, frames: list[str]) -> None:
    url = f"{sandbox.url}/rtm/websocket?api-key=k"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        for frame in frames:
            await socket.send_str(frame)
        received = []
        async with asyncio.timeout(PATIENCE):
            received = [message.data async for message in socket]
    assert received[-1].startswith("ERROR\n")


def _connected(session: aiohttp.ClientSession, sandbox: Sandbox, beats: int = 0) -> Any:
    return _Connection(session, sandbox, beats)


class _Connection:
    def __init__(self, session: aiohttp.ClientSession, sandbox: Sandbox, beats: int) -> None:
        url = f"{sandbox.url}/stompx/websocket?api-key=k"
        self._opening = session.ws_connect(url, protocols=("v12.stomp",))
        self._connect = f"CONNECT\nStompX-User:{JANE}\nheart-beat:0,{beats}\n\n\0"

    async def __aenter__(self) -> aiohttp.ClientWebSocketResponse:
        self._socket = await self._opening
        assert self._socket.protocol == "v12.stomp"
        await self._socket.send_str(self._connect)
        assert (await _next(self._socket)).startswith("CONNECTED\n")
        return self._socket

    async def __aexit__(self, *_: object) -> None:
        await self._socket.send_str("DISCONNECT\nreceipt:bye\n\n\0")
        while (told := await _next(self._socket)) == "\n":
            pass
        assert told == "RECEIPT\nreceipt-id:bye\n\n\0"


async def _next(socket: aiohttp.ClientWebSocketResponse) -> str:
    async with asyncio.timeout(PATIENCE):
        return str(await socket.receive_str())
