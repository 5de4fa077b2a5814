"""The page to try uploads with, in Chromium, in every state.

`UPDATE_EXAMPLES=1 pytest tests/pages/test_trial_in_browser.py -k screenshot` takes the picture of
the docs.
"""

import asyncio
import hashlib
import json
import os
import signal
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from tests.clients.drivers import run
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.pages.tab import Tab, said
from tests.programs import need
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS, Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("node", "everything")]

PICTURE: Final = Path(__file__).parents[2] / "docs" / "try-page.png"
PHONE: Final = 320
"""Pixels: a small phone, and 1,280 pixels at 400 %."""

HOSTILE: Final = """<img src=x onerror="document.title='taken'">'$(touch taken)`\u202e\n.png"""
OBEYED: Final = f"\x1b[2J{HOSTILE}"
"""With what a terminal obeys; in a form, the gateway refuses it."""
SIZE: Final = 3_000_000
CONTENT: Final = (bytes(range(251)) * (SIZE // 251 + 1))[:SIZE]
SEND: Final = "Send the same again"
REPEATED: Final = "Not accepted twice: the answer is that of the first upload."
PLACES: Final = {
    "multipart": "POST /v1/channels/",
    "tus": "POST /gateway/tus/",
    "draft": "POST /gateway/raw/",
}
"""How the requests of the dialects begin."""


@pytest.fixture
def gateway(start_gateway: StartGateway) -> Gateway:
    return start_gateway(try_page="true", delivery="external")


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with Tab.open(tmp_path / "profile") as tab:
        yield tab


@pytest.fixture
async def both(gateway: Gateway, start_gateway: StartGateway) -> Gateway:
    """The gateway, with a second process at its address."""
    start_gateway(try_page="true", delivery="external", port=str(gateway.port))
    names: set[str] = set()
    async with asyncio.timeout(PATIENCE):
        while len(names) < 2:
            async with aiohttp.ClientSession(gateway.url) as session:
                answer = await session.get("/gateway/healthz")
                names.add(answer.headers["X-Gateway-Process"])
    return gateway


@pytest.fixture
async def alice(gateway: Gateway) -> AsyncIterator[Client]:
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        yield client


@pytest.fixture
async def channel(sandbox: Sandbox) -> int:
    return await sandbox.new_channel()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "clip.bin"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "notes.txt"
    file.write_bytes(files.PNG)
    return file


async def enter(
    tab: Tab, gateway: Gateway, channel: int = 702, token: str = TOKENS["alice"], /, **fields: str
) -> None:
    await tab.go(f"{gateway.url}/gateway/try#token={token}&channel={channel}")
    await tab.see("Hosted: the gateway stores the file")
    assert token not in await tab.page.evaluate("location.href")
    for name, value in fields.items():
        await tab.fill(f"#{name}", value)


async def upload(tab: Tab, file: Path) -> None:
    await tab.choose_file("#file", file)
    await tab.click("Upload")


async def shown_ids(tab: Tab) -> list[str]:
    """The uploads that the page has asked for in several requests, the oldest first."""
    text = await tab.page.evaluate("document.querySelector('.log').innerText")
    return list(
        dict.fromkeys(word for word in text.split() if word.startswith("/gateway/uploads/"))
    )


async def assert_sound_everywhere(tab: Tab) -> None:
    for width, dark in ((1_280, False), (PHONE, True), (PHONE, False), (1_280, True)):
        await tab.resize(width, dark=dark)
        await tab.assert_sound()


async def assert_stored(client: Client, place: str) -> None:
    """The stored file is the one that was chosen, byte by byte."""
    end = await client.end_of(place.rpartition("/")[2])
    assert (end["state"], end["file"]["name"]) == ("registered", "clip.bin"), end
    served = await client.request("GET", end["url"])
    assert hashlib.sha256(served.body).digest() == hashlib.sha256(CONTENT).digest()


async def test_with_nothing_chosen_it_is_sound_and_used_by_keyboard(
    tab: Tab, gateway: Gateway, large: Path, alice: Client
) -> None:
    await enter(tab, gateway)
    await assert_sound_everywhere(tab)
    await tab.click("Upload")  # the browser says what is missing
    assert "Sending" not in await tab.text()
    await tab.fill("#kind", "/v1/imports/users")
    await tab.see("Relayed: ChatKitty hosts the file.")
    await tab.fill("#path", "/gateway/uploads")
    await tab.see("No upload can go there")
    await tab.fill("#kind", "/v1/channels/702/messages")
    await tab.fill("#dialect", "tus")
    await tab.choose_file("#file", large)
    for label, sign in (("Upload", "Sending"), ("Lose the connection", "The connection is lost.")):
        for _ in range(20):
            if await tab.page.evaluate("document.activeElement.textContent") == label:
                break
            await tab.press("Tab")
        await tab.press("Enter")
        await tab.see(sign)
    await tab.see("Done: registered.")
    await assert_stored(alice, (await shown_ids(tab))[0])


async def test_a_form_is_taken_once_with_a_key_and_twice_without(
    tab: Tab, gateway: Gateway, channel: int, small: Path, sandbox: Sandbox
) -> None:
    await enter(tab, gateway, channel)
    await upload(tab, small)
    await tab.see("Done: registered.", "text/plain", "image/png", "another type than was declared")
    await assert_sound_everywhere(tab)
    await tab.click(SEND)
    await said(tab, f"{REPEATED} Done: registered.")
    assert len(await sandbox.messages(f"channels/{channel}")) == 1
    await tab.fill("#key", "")
    await tab.click("Upload")
    await said(tab, "Done: registered.")
    await tab.click(SEND)
    await said(tab, "Accepted twice: this is another upload. Done: registered.")
    assert len(await sandbox.messages(f"channels/{channel}")) == 3
    await tab.assert_sound()


async def test_a_relayed_file_is_audited_and_not_resumable(
    tab: Tab, gateway: Gateway, tmp_path: Path
) -> None:
    users = tmp_path / "users.json"
    name = f"{tmp_path.name}@example.com"
    users.write_text(json.dumps([{"name": name, "displayName": "S", "guest": False}]))
    await enter(tab, gateway, kind="/v1/imports/users")
    await upload(tab, users)
    await tab.see("Done: audited.")
    await tab.fill("#dialect", "draft")
    await tab.click("Upload")
    await tab.see("Refused:", "not-hosted")
    await tab.assert_sound()


@pytest.mark.parametrize("dialect", ["tus", "draft"])
async def test_a_cut_upload_is_resumed_by_another_process(
    tab: Tab, both: Gateway, alice: Client, large: Path, sandbox: Sandbox, dialect: str
) -> None:
    channel = await sandbox.new_channel()
    await enter(tab, both, channel, dialect=dialect, pace="0")
    await tab.page.evaluate("document.querySelector('#cut').checked = true")
    await upload(tab, large)
    await tab.see("The connection is lost.")
    await tab.see("Resumed by another process, at byte")
    await tab.see("Done: registered.")
    rows = await tab.page.evaluate(
        "[...document.querySelectorAll('.log tbody tr')].map((row) =>"
        " [...row.children].map((cell) => cell.textContent))"
    )
    _assert_resumed(rows)
    await assert_stored(alice, (await shown_ids(tab))[0])
    await tab.click(SEND)
    await said(tab, f"{REPEATED} Done: registered.")
    assert await tab.page.evaluate("document.querySelectorAll('.log tbody tr').length") == 1
    assert len(await sandbox.messages(f"channels/{channel}")) == 1
    await tab.assert_sound()


def _assert_resumed(rows: list[list[str]]) -> None:
    """Eight pieces, one whose answer was lost, and then those that the gateway did not have."""
    outcomes = [row[2] for row in rows]
    assert outcomes.count("none: lost") == 1
    lost = outcomes.index("none: lost")
    assert lost == 9
    assert rows[lost + 1][0].startswith("HEAD ")
    assert all(int(each) < 300 for each in outcomes[:lost] + outcomes[lost + 1 :])
    first = int(rows[lost][1].split()[0].replace(",", ""))
    again = int(rows[lost + 2][1].split()[0].replace(",", ""))
    assert first == SIZE * 8 // 20
    assert first <= again <= first + SIZE // 20
    assert rows[lost - 1][3] != rows[lost + 1][3]


async def test_refusals_are_said_plainly(
    tab: Tab, start_gateway: StartGateway, small: Path, large: Path
) -> None:
    gateway = start_gateway(try_page="true", delivery="external", max_file_size="1MB")
    await enter(tab, gateway, 702, "a-strangers-token")
    for dialect in ("multipart", "tus"):
        await tab.fill("#dialect", dialect)
        await upload(tab, small)
        await tab.see(PLACES[dialect], "The gateway does not accept this token.", "invalid-token")
        await tab.assert_sound()
    await tab.fill("#token", TOKENS["alice"])
    for dialect in PLACES:
        await tab.fill("#dialect", dialect)
        await upload(tab, large)
        await tab.see(PLACES[dialect], "The file is too large for this path.", "file-too-large")
    await assert_sound_everywhere(tab)
    await tab.fill("#token", "two\u2028lines")
    await tab.click("Upload")
    await tab.see("Authorization has characters that no header can have.")


async def test_what_chatkitty_refuses_has_failed(
    tab: Tab, gateway: Gateway, channel: int, small: Path, sandbox: Sandbox
) -> None:
    place = f"/v1/channels/{channel}/messages"
    for dialect in ("multipart", "tus"):
        await sandbox.fault("POST", place, status=403, body={"error": "not_yours"})
        await enter(tab, gateway, channel, dialect=dialect, pace="0")
        await upload(tab, small)
        if dialect == "multipart":
            await tab.see("Refused:", "not_yours")
        else:
            await tab.see("Ended: failed.")
        await tab.see("Problem", "registration-failed")
        await tab.assert_sound()


async def test_a_lost_gateway_is_said_and_its_upload_resumed(
    tab: Tab, start_gateway: StartGateway, gateway: Gateway, large: Path, channel: int
) -> None:
    await enter(tab, gateway, channel, dialect="tus")
    await upload(tab, large)
    await tab.is_so("document.querySelectorAll('.log tbody tr').length > 2")
    os.kill(gateway.pid, signal.SIGKILL)
    await tab.see("The gateway cannot be reached.", "What the gateway has of the file stays there")
    await tab.assert_sound()
    await tab.click("Resume")
    await tab.see("The gateway cannot be reached.")
    again = start_gateway(try_page="true", delivery="external", port=str(gateway.port))
    await tab.click("Resume")
    await tab.see("Resumed by another process")
    await tab.see("Done: registered.")
    async with Client.open(again.url, TOKENS["alice"]) as client:
        await assert_stored(client, (await shown_ids(tab))[0])


async def test_stopping_ends_the_upload(
    tab: Tab, gateway: Gateway, large: Path, alice: Client
) -> None:
    await enter(tab, gateway, dialect="draft")
    await upload(tab, large)
    await tab.is_so("document.querySelectorAll('.log tbody tr').length > 2")
    await tab.assert_sound()
    await tab.click("Stop")
    await tab.see("Stopped.")
    (place,) = await shown_ids(tab)
    end = await alice.end_of(place.rpartition("/")[2])
    assert end["state"] == "aborted"


@pytest.mark.parametrize("dialect", PLACES)
async def test_names_are_text_and_the_command_does_the_same(
    tab: Tab, gateway: Gateway, alice: Client, channel: int, tmp_path: Path, dialect: str
) -> None:
    need("curl", packages="curl")
    file = tmp_path / "files" / (HOSTILE if dialect == "multipart" else OBEYED)
    file.parent.mkdir()
    file.write_bytes(files.PNG)
    await enter(tab, gateway, channel, dialect=dialect, pace="0")
    await upload(tab, file)
    await tab.see("Done: registered.", "<img src=x onerror=")
    assert await tab.page.evaluate("document.querySelectorAll('main img').length") == 0
    assert "taken" not in await tab.page.evaluate("document.title")
    assert "\u202e" not in await tab.text()
    await tab.resize(PHONE)
    await tab.assert_sound()
    command: str = await tab.page.evaluate(
        "[...document.querySelectorAll('pre')].at(-1).textContent"
    )
    assert TOKENS["alice"] not in command
    assert all(letter == "\n" or letter.isprintable() for letter in command)
    before = await _newest(alice)
    told = command.replace("ACCESS-TOKEN", TOKENS["alice"]).replace("Idempotency-Key: ", "X-Key: ")
    await run(["bash", "-c", f"cd {file.parent}\n{told}"])
    after = await _newest(alice)
    (added,) = after.keys() - before.keys()
    assert after[added] == next(iter(before.values()))
    assert [each.name for each in file.parent.iterdir()] == [file.name]


async def _newest(client: Client) -> dict[str, Any]:
    """The names of the newest uploads by their ids, the newest first."""
    listed = (await client.request("GET", "/gateway/uploads?size=100")).json()["uploads"]
    return {each["id"]: each["file"]["name"] for each in listed}


async def test_the_screenshot_of_the_docs_can_be_made(
    tab: Tab, gateway: Gateway, channel: int, large: Path
) -> None:
    await tab.resize(1_100, 1_320)
    await enter(tab, gateway, channel, dialect="tus", pace="0")
    await tab.page.evaluate("document.querySelector('#cut').checked = true")
    await upload(tab, large)
    await tab.see("Done: registered.")
    await tab.page.evaluate(
        "document.querySelector('.log').scrollTop = document.querySelector('.log .warn').offsetTop"
        " - 120; document.activeElement.blur()"
    )
    picture = await tab.screenshot()
    assert struct.unpack(">II", picture[16:24]) == (1_100, 1_320)
    if os.environ.get("UPDATE_EXAMPLES"):
        PICTURE.write_bytes(picture)
    assert PICTURE.exists()
