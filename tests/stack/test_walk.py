"""What a stranger does with `up` and a browser, and nothing else."""

from pathlib import Path
from typing import Final

import pytest

from tests.pages.tab import Tab, said
from tests.stack.test_up import Up, up

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("node")]

SIZE: Final = 3_000_000


async def make_chatkitty(tab: Tab, stack: Up, choice: str) -> None:
    await tab.go(f"{stack.told['sandbox']}/sandbox")
    await tab.submit(choice)


async def upload(tab: Tab, stack: Up, file: Path, *, loses_connection: bool) -> None:
    await tab.go(stack.told["try_url"])
    await tab.see("Hosted: the gateway stores the file")
    await tab.fill("#dialect", "tus")
    await tab.choose_file("#file", file)
    await tab.click("Upload")
    if loses_connection:
        await tab.see("Sending")
        await tab.click("Lose the connection")
        await tab.see("The connection is lost.")


async def open_newest(tab: Tab, stack: Up, state: str) -> None:
    """Find the newest upload of that state on the operator's page."""
    await tab.go(f"{stack.told['admin']}/#token={stack.told['admin_token']}")
    await tab.see("✓ ready")
    await tab.click("Uploads")
    await tab.see("State")
    await tab.write("select[name=state]", state)
    await tab.click("Search")
    await tab.is_so("document.querySelector('tbody a') !== null")
    await tab.page.evaluate("document.querySelector('tbody a').click()")
    await tab.see("Timeline")


async def test_an_upload_is_broken_resumed_refused_found_and_retried(tmp_path: Path) -> None:
    file = tmp_path / "clip.bin"
    file.write_bytes(bytes(SIZE))
    with up(tmp_path / "up", "--processes", "2") as stack:
        async with Tab.open(tmp_path / "profile") as tab:
            await upload(tab, stack, file, loses_connection=True)
            await said(tab, "Done: registered.")
            await open_newest(tab, stack, "registered")
            await tab.see("clip.bin")

            await make_chatkitty(tab, stack, "Fail three times")
            await upload(tab, stack, file, loses_connection=False)
            await said(tab, "Done: registered.")
            await open_newest(tab, stack, "registered")
            assert await tab.page.evaluate("document.body.innerText.includes('4, the first at')")

            await make_chatkitty(tab, stack, "Refuse uploads")
            await upload(tab, stack, file, loses_connection=False)
            await tab.see("failed")
            await open_newest(tab, stack, "failed")
            await tab.see("ChatKitty answered 403")
            await make_chatkitty(tab, stack, "Work")
            await open_newest(tab, stack, "failed")
            await tab.click("Retry")
            await tab.see("Retry: inspected again")
            assert "at the earliest" not in await tab.text()
            await tab.see("registered")
            await tab.assert_sound()
