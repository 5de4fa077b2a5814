"""The operator's page in Chromium, in every state.

`UPDATE_EXAMPLES=1 pytest tests/pages/test_browser.py -k screenshot` takes the picture of the docs.
"""

import os
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from msgspec.structs import replace

from gateway.stack.ports import HOST, free_port
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.record import Attempt, Fault, State, Target, Upload, from_json
from gateway.webhooks.progress import Over, Progress, Standing
from tests.pages.ground import ADMIN_TOKEN, ATTACK, id_at, keep, upload
from tests.pages.tab import Tab
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("node")]

PICTURE: Final = Path(__file__).parents[2] / "docs" / "operators-page.png"
PHONE: Final = 320
"""Pixels: a small phone, and 1,280 pixels at 400 %."""


@pytest.fixture
def gateway(start_gateway: StartGateway, bucket: tuple[str, S3Store]) -> Gateway:
    return start_gateway(
        admin_token=ADMIN_TOKEN,
        s3_bucket=bucket[0],
        delivery="external",
        admin_show_subjects="true",
    )


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with Tab.open(tmp_path / "profile") as tab:
        yield tab


def address(gateway: Gateway, page: str = "/") -> str:
    """The address of a page, after the token was given to the tab."""
    return f"{gateway.admin_url}/#{page}"


async def enter(tab: Tab, gateway: Gateway) -> None:
    await tab.go(f"{gateway.admin_url}/#token={ADMIN_TOKEN}")
    await tab.see("Waiting, in the bucket")
    assert ADMIN_TOKEN not in await tab.page.evaluate("location.href")


def made(count: int, state: State = State.STORED) -> list[Upload]:
    now = time.time()
    return [upload(id_at(now - 3 * number), state) for number in range(1, count + 1)]


async def test_it_asks_for_the_token_and_refuses_another(tab: Tab, gateway: Gateway) -> None:
    await tab.go(gateway.admin_url)
    await tab.see("It needs the token")
    await tab.assert_sound()
    await tab.write("#token", "another-operators-token")
    await tab.click("Open")
    await tab.see("does not accept this token")
    await tab.assert_sound()
    await tab.write("#token", ADMIN_TOKEN)
    await tab.click("Open")
    await tab.see("✓ ready")
    await tab.click("Forget the token")
    await tab.see("It needs the token")
    assert await tab.page.evaluate("sessionStorage.length + document.cookie.length") == 0


async def test_with_nothing_there_every_page_is_sound(tab: Tab, gateway: Gateway) -> None:
    await enter(tab, gateway)
    await tab.see("✓ ready", "uploads accepted")
    await tab.assert_sound()
    await tab.click("Uploads")
    await tab.see("0 uploads of 0 read; there are no older ones.")
    await tab.assert_sound()
    await tab.click("Dead letters")
    await tab.see("were set aside", "there are no older ones")
    await tab.assert_sound()
    await tab.click("Doctor")
    await tab.click("Examine")
    await tab.see("store")
    await tab.is_so("document.querySelector('main h2') !== null")
    await tab.assert_sound()
    await tab.go(address(gateway, "/upload/nothing"))
    await tab.see("this is not the id of an upload")
    await tab.assert_sound()


async def test_parts_that_are_away_are_named(tab: Tab, start_gateway: StartGateway) -> None:
    nowhere = free_port()
    gateway = start_gateway(
        admin_token=ADMIN_TOKEN,
        redis_url=f"redis://{HOST}:{nowhere}/0",
        broker_url=f"redis://{HOST}:{nowhere}/0",
        s3_endpoint_url=f"http://{HOST}:{nowhere}",
    )
    await enter(tab, gateway)
    await tab.see("✗ unready", "The store does not answer.", "Redis does not answer")
    await tab.assert_sound()
    await tab.click("Uploads")
    await tab.is_so("document.querySelector('[role=alert]') !== null")
    await tab.assert_sound()


async def test_a_thousand_uploads_are_shown_page_by_page_in_any_width(
    tab: Tab, gateway: Gateway, kept: S3Store
) -> None:
    await keep(kept, made(1_050, State.INSPECTED))
    await enter(tab, gateway)
    await tab.see("or more")
    await tab.click("Uploads")
    await tab.see("50 uploads of 50 read; read back to")
    await tab.assert_sound()
    for shown in range(100, 1_001, 50):
        await tab.click("Show older ones")
        await tab.see(f"{shown:,} uploads of {shown:,} read")
    assert await tab.page.evaluate("document.querySelectorAll('tbody tr').length") == 1_000
    for width, dark in ((1_280, True), (PHONE, False), (PHONE, True)):
        await tab.resize(width, dark=dark)
        await tab.go(address(gateway, "/uploads"))
        await tab.see("50 uploads")
        await tab.assert_sound()


def hostile() -> Upload:
    """An upload with markup wherever a stranger can write."""
    each = made(1, State.FAILED)[0]
    file = replace(each.files[0], name=ATTACK, declared_type=ATTACK, content_type=ATTACK)
    return replace(
        each,
        subject=ATTACK,
        request_id=ATTACK,
        trace={"traceparent": f"00-{ATTACK}-{'b' * 16}-01"},
        target=Target("POST", f"/v1/{ATTACK}"),
        files=(file,),
        ambiguities=(ATTACK,),
        fault=Fault(ATTACK, f"{ATTACK}\u202ereversed"),
    )


async def test_what_strangers_write_is_text(tab: Tab, gateway: Gateway, kept: S3Store) -> None:
    each = hostile()
    await keep(kept, [each])
    await enter(tab, gateway)
    await tab.go(address(gateway, "/uploads?state=all"))
    await tab.see("1 upload of 1 read")
    row: str = await tab.page.evaluate("document.querySelector('tbody tr').innerText")
    assert row.count("<script>") == 4  # name, type, subject, problem
    await tab.assert_sound()
    await tab.go(address(gateway, f"/upload/{each.id}"))
    await tab.see("Timeline")
    text = await tab.text()
    assert text.count("<script>") >= 9
    assert "\u202e" not in text
    assert await tab.page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert "taken" not in await tab.page.evaluate("document.title")
    for width in (1_280, PHONE):
        await tab.resize(width)
        await tab.assert_sound()
    await tab.go(address(gateway, f"/upload/{ATTACK}"))
    await tab.see("this is not the id of an upload")
    await tab.assert_sound()


async def test_one_failed_upload_is_found_and_retried(
    tab: Tab, gateway: Gateway, kept: S3Store
) -> None:
    failed = made(1, State.FAILED)[0]
    await keep(kept, [failed])
    await enter(tab, gateway)
    await tab.click("Uploads")
    await tab.see("State")
    await tab.write("select[name=state]", "failed")
    await tab.click("Search")
    await tab.click(failed.id)
    await tab.see(
        "Timeline", "ChatKitty refused the request", "3, the first at", "Cancel: it is failed."
    )
    await tab.assert_sound()
    await tab.click("Retry")
    await tab.see("Retry: inspected again")
    document = await kept.get(keys.pending(failed.id))
    assert from_json(document.content).state is State.INSPECTED
    await tab.assert_sound()


async def test_messages_to_webhooks_are_shown_and_sent_again(
    tab: Tab, gateway: Gateway, kept: S3Store
) -> None:
    each = made(1, State.REGISTERED)[0]
    await keep(kept, [each])
    dead = Standing(attempts=9, status=500, detail=ATTACK, over=Over.DEAD)
    name = f"{each.id}/4-registered"
    await kept.put(keys.dead_message(name), msgspec.json.encode(Progress(endpoints={ATTACK: dead})))
    await enter(tab, gateway)
    await tab.go(address(gateway, f"/upload/{each.id}"))
    await tab.see("Webhooks", "upload.registered", "given up", f"500 {ATTACK}")
    for width in (1_280, PHONE):
        await tab.resize(width)
        await tab.assert_sound()
    await tab.click("Resend messages")
    await tab.see("Resend: 1 message; workers send", "waiting")
    assert [info.key async for info in kept.list(keys.OUTBOX)] == [keys.message(name)]


async def test_what_would_be_refused_is_said_before_and_can_be_forced(
    tab: Tab, gateway: Gateway, kept: S3Store
) -> None:
    each = made(1)[0]
    doubtful = replace(each, attempt=Attempt(count=1, first_at=each.since, unknown=True))
    await keep(kept, [doubtful])
    await enter(tab, gateway)
    await tab.go(address(gateway, f"/upload/{each.id}"))
    await tab.see("may have reached ChatKitty", "Retry: it is stored, and has not failed.")
    await tab.assert_sound()
    await tab.click("Cancel anyway")
    await tab.see("Cancel: cancelled")


async def test_all_that_match_are_counted_then_retried(
    tab: Tab, gateway: Gateway, kept: S3Store
) -> None:
    failed = made(250, State.FAILED)
    lost = upload(id_at(time.time() - 4_000), State.FAILED)
    await keep(kept, [*failed, lost])
    await kept.delete(keys.incoming(lost.id))
    await enter(tab, gateway)
    await tab.go(address(gateway, "/uploads?state=failed"))
    await tab.click("Retry all that match …")
    await tab.see(
        "Counted: 251 read, 250 uploads to retry.", "1: its file is no longer in the bucket"
    )
    await tab.assert_sound()
    pending = [info async for info in kept.list(keys.PENDING)]
    assert pending == []
    await tab.click("Retry 250 uploads")
    await tab.see("Finished: 250 of 250, 250 done, 0 refused.")
    await tab.assert_sound()
    assert len([info async for info in kept.list(keys.PENDING)]) == 250
    await tab.press("Escape")
    await tab.is_so("document.querySelector('dialog') === null")


async def test_messages_of_all_that_match_are_counted_then_sent_again(
    tab: Tab, gateway: Gateway, kept: S3Store
) -> None:
    registered = made(3, State.REGISTERED)
    await keep(kept, registered)
    dead = Progress(endpoints={"crm": Standing(attempts=9, status=500, over=Over.DEAD)})
    names = [f"{each.id}/4-registered" for each in registered[:2]]
    for name in names:
        await kept.put(keys.dead_message(name), msgspec.json.encode(dead))
    await enter(tab, gateway)
    await tab.go(address(gateway, "/uploads?state=registered"))
    await tab.click("Resend messages of all that match …")
    await tab.see("Counted: 3 read, 2 uploads to resend.", "1: no message about it was given up")
    await tab.assert_sound()
    assert [info async for info in kept.list(keys.OUTBOX)] == []
    await tab.click("Resend messages of 2 uploads")
    await tab.see("Finished: 2 of 2, 2 done, 0 refused.")
    waiting = {info.key async for info in kept.list(keys.OUTBOX)}
    assert waiting == {keys.OUTBOX + name for name in names}


async def test_it_is_used_by_keyboard_alone(tab: Tab, gateway: Gateway) -> None:
    await enter(tab, gateway)
    names: list[str] = []
    await tab.page.evaluate("document.body.focus(); document.activeElement.blur()")
    for _ in range(7):
        await tab.press("Tab")
        names.append(await tab.page.evaluate("document.activeElement.textContent"))
    for name in ("State", "Uploads", "Dead letters", "Doctor", "Forget the token"):
        assert name in names
    while await tab.page.evaluate("document.activeElement.textContent") != "Uploads":
        await tab.press("Tab")
    await tab.press("Enter")
    await tab.see("Uploads, the newest first")
    assert await tab.page.evaluate("document.activeElement.id") == "main"


async def test_it_says_how_it_is_turned_on(tab: Tab, start_gateway: StartGateway) -> None:
    await tab.go(start_gateway().admin_url)
    await tab.see("The operator's page is off", "GATEWAY_ADMIN_TOKEN")
    await tab.assert_sound()


async def test_the_screenshot_of_the_docs_can_be_made(
    tab: Tab, gateway: Gateway, kept: S3Store
) -> None:
    names = ["holiday.jpg", "minutes.pdf", "voice.m4a", "cat.png"]
    uploads = [
        *made(3),
        *(upload(id_at(time.time() - 60 * age), State.FAILED) for age in range(1, 4)),
        *(upload(id_at(time.time() - 90 * age), State.REGISTERED) for age in range(2, 7)),
    ]
    named = [
        replace(each, files=(replace(each.files[0], name=names[place % 4]),))
        for place, each in enumerate(uploads)
    ]
    await keep(kept, named)
    await tab.resize(1_100, 760)
    await enter(tab, gateway)
    await tab.go(address(gateway, "/uploads?state=all"))
    await tab.see("11 uploads of 11 read")
    picture = await tab.screenshot()
    assert struct.unpack(">II", picture[16:24]) == (1_100, 760)
    if os.environ.get("UPDATE_EXAMPLES"):
        PICTURE.write_bytes(picture)
    assert PICTURE.exists()
