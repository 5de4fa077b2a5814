"""Clients of resumable uploads in a page of the gateway's origin, in Chromium."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.browser import Page, browsing, bundle
from tests.flows.client import Client
from tests.servers.cut_line import CutLine
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, TOKENS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("everything")]

PATH: Final = f"/v1/channels/{CHANNEL}/messages"
SIZE: Final = 12_000_000
CUTS: Final = (1_000_000, 4_000_000, 9_000_000)
_PERIOD: Final = bytes(range(251))
CONTENT: Final = (_PERIOD * (SIZE // 251 + 1))[:SIZE]


@pytest.fixture
async def line(start_gateway: StartGateway) -> AsyncIterator[CutLine]:
    async with CutLine.lay() as line:
        line.server = start_gateway(delivery="external", public_url=line.url).url
        yield line


@pytest.fixture
async def script(node: Path, tmp_path: Path) -> str:
    return await bundle(node, "page.mjs", tmp_path)


@pytest.fixture
async def page(line: CutLine, script: str, tmp_path: Path) -> AsyncIterator[Page]:
    async with browsing(tmp_path / "profile") as page:
        await page.go(f"{line.url}/gateway/healthz", script)
        yield page


async def upload(page: Page, line: CutLine, function: str, door: str, **options: Any) -> Any:
    """What the page reports of its upload."""
    endpoint = f"{line.url}/gateway/{door}{PATH}"
    return await page.call(function, endpoint=endpoint, token=TOKENS["alice"], size=SIZE, **options)


async def assert_arrived(line: CutLine, url: str) -> None:
    """The file is there, whole, by its name."""
    async with Client.open(line.url, TOKENS["alice"]) as client:
        end = await client.end_of(url.rpartition("/")[2])
        assert (end["state"], end["file"]["name"]) == ("registered", "clip.bin"), end
        served = await client.request("GET", end["url"])
    sent, found = (hashlib.sha256(each).hexdigest() for each in (CONTENT, served.body))
    assert found == sent


async def test_uppy_goes_on_after_cuts(page: Page, line: CutLine) -> None:
    line.cut_at(CUTS)
    ended = await upload(page, line, "byUppy", "tus")
    assert ended.get("error") is None, ended
    assert line.cuts_left == 0
    await assert_arrived(line, ended["url"])


async def test_uppy_goes_on_in_another_page(page: Page, line: CutLine, script: str) -> None:
    line.cut_at(())
    stopped = await upload(page, line, "byUppy", "tus", stopAt=5_000_000)
    assert stopped == {"stopped": True}
    await page.go(f"{line.url}/gateway/readyz", script)
    before = line.passed
    ended = await upload(page, line, "byUppy", "tus")
    assert line.passed - before < SIZE - 2_000_000
    await assert_arrived(line, ended["url"])


@pytest.mark.parametrize(
    ("door", "protocol"), [("tus", "tus-v1"), ("raw", "ietf-draft-03"), ("raw", "ietf-draft-05")]
)
async def test_tus_js_client_goes_on_after_cuts(
    page: Page, line: CutLine, door: str, protocol: str
) -> None:
    line.cut_at(CUTS)
    ended = await upload(page, line, "byTus", door, protocol=protocol)
    assert ended.get("error") is None, ended
    assert line.cuts_left == 0
    await assert_arrived(line, ended["url"])
