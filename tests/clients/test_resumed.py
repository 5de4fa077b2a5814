"""Clients of resumable uploads, unmodified: cut or stopped, they go on where they were."""

import asyncio
import hashlib
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.stack.probes import says
from tests.clients.drivers import run
from tests.clients.install import HERE, NODE
from tests.clients.recipes import Recipe
from tests.flows.client import Client
from tests.programs import need
from tests.servers.cut_line import CutLine
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("everything")]

PATH: Final = f"/v1/channels/{CHANNEL}/messages"
SIZE: Final = 20 * 1024 * 1024
_PATIENCE: Final = 200.0
_HEADS: Final = 2048
"""More bytes than the head of a request has."""


@dataclass(frozen=True)
class Phone:
    """A client on a line that can be cut, and the file that it uploads."""

    line: CutLine
    client: Client
    file: Path

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    async def end_of(self, url: str) -> dict[str, Any]:
        """The upload at that URL, once it has ended."""
        end: dict[str, Any] = await self.client.end_of(url.rpartition("/")[2])
        return end

    async def assert_arrived(self, url: str) -> None:
        """The file is there, whole, by its name."""
        end = await self.end_of(url)
        assert end["state"] == "registered", end
        assert (end["file"]["name"], end["file"]["size"]) == ("clip.bin", SIZE)
        await self.assert_is_served(end["url"])

    async def assert_is_served(self, url: str) -> None:
        """The file at that URL is the one that was sent."""
        served = await self.client.request("GET", url)
        assert hashlib.sha256(served.body).hexdigest() == self.digest


@pytest.fixture
async def phone(start_gateway: StartGateway, tmp_path: Path) -> AsyncIterator[Phone]:
    file = tmp_path / "clip.bin"
    file.write_bytes(random.Random(7).randbytes(SIZE))
    async with CutLine.lay() as line:
        gateway = start_gateway(delivery="external", public_url=line.url)
        line.server = gateway.url
        line.until_settled = partial(_cut_is_handled, gateway)
        async with Client.open(line.url, TOKENS["alice"]) as client:
            yield Phone(line, client, file)


async def _cut_is_handled(gateway: Gateway) -> None:
    """Wait until the gateway has stored what came of a request that was cut.

    A client that asked for the offset earlier would be told less, if the store is slow.
    """
    known = gateway.log.stat().st_size
    async with asyncio.timeout(_PATIENCE):
        while not any(says(gateway.log, known, f'"method":"{each}"') for each in ("PATCH", "POST")):
            await asyncio.sleep(0.01)


async def tus_js(node: Path, phone: Phone, door: str, protocol: str, *more: str) -> Any:
    """What tus-js-client reports."""
    argv = [
        *(str(node), str(NODE / "tus.mjs")),
        f"--endpoint={phone.line.url}/gateway/{door}{PATH}",
        f"--access-token={TOKENS['alice']}",
        f"--file={phone.file}",
        f"--storage={phone.file.with_suffix('.json')}",
        f"--protocol={protocol}",
        *more,
    ]
    return json.loads(await run(argv, seconds=_PATIENCE))


async def tuspy(python: Path, phone: Phone, *more: str) -> Any:
    """What tuspy reports."""
    argv = [
        *(str(python), str(HERE / "python" / "tus.py")),
        f"--endpoint={phone.line.url}/gateway/tus{PATH}",
        f"--access-token={TOKENS['alice']}",
        f"--file={phone.file}",
        *more,
    ]
    return json.loads(await run(argv, seconds=_PATIENCE))


CUTS: Final = (1_000_000, 9_000_000, 9_500_000, 16_000_000)
"""Within the first part, within the second, twice in it, and after it."""

_CHUNK: Final = 3_000_000
_IN_CHUNKS: Final = f"--chunk-size={_CHUNK}"


@pytest.mark.parametrize(
    ("door", "protocol", "more"),
    [
        ("tus", "tus-v1", ()),
        ("tus", "tus-v1", ("--with-creation", _IN_CHUNKS)),
        ("tus", "tus-v1", ("--chunk-size=524288",)),
        ("raw", "ietf-draft-03", ()),
        ("raw", "ietf-draft-05", (_IN_CHUNKS,)),
    ],
    ids=["tus", "tus, with creation", "tus, small chunks", "draft 03", "draft 05, in chunks"],
)
async def test_tus_js_client_goes_on_after_cuts(
    node: Path, phone: Phone, door: str, protocol: str, more: Sequence[str]
) -> None:
    phone.line.cut_at(CUTS)
    ended = await tus_js(node, phone, door, protocol, *more)
    assert "error" not in ended, ended
    assert phone.line.cuts_left == 0
    assert phone.line.passed < SIZE + CUTS[-1] // 2  # what stood in the sockets is sent again
    await phone.assert_arrived(ended["url"])


@pytest.fixture
def dying(phone: Phone, start_gateway: StartGateway) -> Phone:
    """A phone that reaches another gateway after each cut; the previous gateway is killed."""
    line = phone.line
    gateways = [
        start_gateway(delivery="external", public_url=line.url) for _ in range(len(CUTS) + 1)
    ]

    def die() -> None:
        os.kill(gateways.pop().pid, signal.SIGKILL)
        line.server = gateways[-1].url

    line.server = gateways[-1].url
    line.at_cut = die
    line.until_settled = None
    return phone


@pytest.mark.parametrize(
    ("door", "protocol", "more"),
    [
        ("tus", "tus-v1", ("--with-creation",)),
        ("tus", "tus-v1", (_IN_CHUNKS,)),
        ("raw", "ietf-draft-03", ()),
        ("raw", "ietf-draft-05", (_IN_CHUNKS,)),
    ],
    ids=["tus, with creation", "tus, in chunks", "draft 03", "draft 05, in chunks"],
)
async def test_tus_js_client_goes_on_after_gateways_are_killed(
    node: Path, dying: Phone, door: str, protocol: str, more: Sequence[str]
) -> None:
    dying.line.cut_at(CUTS)
    ended = await tus_js(node, dying, door, protocol, *more)
    assert "error" not in ended, ended
    assert dying.line.cuts_left == 0
    await dying.assert_arrived(ended["url"])


async def test_tuspy_goes_on_after_gateways_are_killed(python_sdk: Path, dying: Phone) -> None:
    dying.line.cut_at(CUTS)
    ended = await tuspy(python_sdk, dying, "--chunk-size=4000000")
    assert ended["offset"] == SIZE
    assert dying.line.cuts_left == 0
    await dying.assert_arrived(ended["url"])


STOPPED: Final = pytest.mark.parametrize(
    ("door", "protocol"), [("tus", "tus-v1"), ("raw", "ietf-draft-03"), ("raw", "ietf-draft-05")]
)


@STOPPED
async def test_tus_js_client_goes_on_in_another_process(
    node: Path, phone: Phone, door: str, protocol: str
) -> None:
    phone.line.cut_at(())
    stopped = await tus_js(node, phone, door, protocol, _IN_CHUNKS, "--stop-at=10000000")
    assert stopped.get("stopped"), stopped
    ended = await tus_js(node, phone, door, protocol, _IN_CHUNKS)
    assert ended["url"] == stopped["url"]
    assert phone.line.passed <= SIZE + _CHUNK + (SIZE // _CHUNK + 4) * _HEADS
    await phone.assert_arrived(ended["url"])


@STOPPED
async def test_tus_js_client_has_an_upload_removed(
    node: Path, phone: Phone, door: str, protocol: str
) -> None:
    stopped = await tus_js(
        node, phone, door, protocol, _IN_CHUNKS, "--stop-at=10000000", "--terminate"
    )
    assert stopped.get("stopped"), stopped
    headers = {"Tus-Resumable": "1.0.0"} if door == "tus" else {}
    gone = await phone.client.request("HEAD", stopped["url"], headers=headers)
    assert gone.status in {404, 410}


async def test_tuspy_goes_on_after_cuts(python_sdk: Path, phone: Phone) -> None:
    phone.line.cut_at(CUTS)
    ended = await tuspy(python_sdk, phone, "--chunk-size=4000000")
    assert ended["offset"] == SIZE
    assert phone.line.cuts_left == 0
    await phone.assert_arrived(ended["url"])


async def test_tuspy_goes_on_in_another_process(python_sdk: Path, phone: Phone) -> None:
    more = "--chunk-size=4000000"
    stopped = await tuspy(python_sdk, phone, more, "--stop-at=8000000")
    ended = await tuspy(python_sdk, phone, more, f"--url={stopped['url']}")
    assert (stopped["offset"], ended["url"]) == (8_000_000, stopped["url"])
    await phone.assert_arrived(ended["url"])


async def test_curl_uploads_a_file_as_it_is(phone: Phone) -> None:
    need("curl", packages="curl")
    argv = [
        *("curl", "--silent", "--show-error", "--fail", "--upload-file", str(phone.file)),
        *("--header", f"Authorization: Bearer {TOKENS['alice']}"),
        *("--header", 'Content-Disposition: inline; filename="clip.bin"'),
        f"{phone.line.url}/gateway/raw{PATH}?groupTag=cats",
    ]
    message = json.loads(await run(argv, seconds=_PATIENCE))
    assert (message["file"]["size"], message["groupTag"]) == (SIZE, "cats")
    await phone.assert_is_served(message["file"]["url"])


RECIPES: Final = {"curl": "recipe.sh", "tus-js-client": "recipe.mjs"}


@pytest.mark.parametrize("heading", RECIPES)
async def test_a_recipe_sends_one_message_over_a_line_that_is_cut(
    node: Path, phone: Phone, sandbox: Sandbox, heading: str, tmp_path: Path
) -> None:
    need("curl", packages="curl")
    program = ["sh", "-eu"] if heading == "curl" else [str(node)]
    recipe = Recipe(heading, RECIPES[heading], program, "mobile.md", "clip.mp4")
    channel = await sandbox.new_channel()
    phone.line.cut_at(CUTS)
    message = await recipe.send(
        tmp_path / "recipe",
        phone.line.url,
        f"/v1/channels/{channel}/messages",
        phone.file.read_bytes(),
        _PATIENCE,
    )
    assert phone.line.cuts_left == 0
    assert [message] == await sandbox.messages(f"channels/{channel}")
    assert (message["file"]["name"], message["groupTag"]) == ("clip.mp4", "cats")
    await phone.assert_is_served(message["file"]["url"])
