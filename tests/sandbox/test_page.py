"""The page on which a person makes ChatKitty fail."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.sandbox.page import CHOICES
from tests.flows import files
from tests.flows.client import Client
from tests.servers.sandbox import Sandbox

PATH = "/v1/channels/702/messages"
HEALTHY = "Every request succeeds."


class Person:
    """Uses the page as a browser does."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/sandbox"

    async def load(self) -> str:
        async with self._session.get(self._url) as answer:
            assert answer.status == 200
            assert "script" not in answer.headers["Content-Security-Policy"]
            return await answer.text()

    async def press(self, choice: str, site: str | None = "same-origin") -> tuple[int, str]:
        headers = {} if site is None else {"Sec-Fetch-Site": site}
        pressed = self._session.post(self._url, data={"choice": choice}, headers=headers)
        async with pressed as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def person(sandbox: Sandbox) -> AsyncIterator[Person]:
    async with aiohttp.ClientSession() as session:
        yield Person(session, sandbox.url)


async def test_uploads_are_refused_until_they_should_work_again(
    client: Client, person: Person
) -> None:
    assert HEALTHY in await person.load()
    status, shown = await person.press("refuse")
    assert status == 200
    assert "403" in shown
    assert HEALTHY not in shown
    for _ in range(2):
        assert (await client.upload(PATH, files.PNG)).status == 403
    _, shown = await person.press("work")
    assert HEALTHY in shown
    assert (await client.upload(PATH, files.PNG)).status == 200
    assert f"<td>POST {PATH}</td><td>200</td>" in await person.load()


async def test_a_fault_that_ends_is_shown_with_what_is_left(client: Client, person: Person) -> None:
    await person.press("fail")
    for left in ("2 more times", "once more", HEALTHY):
        assert (await client.upload(PATH, files.PNG)).status == 503
        assert left in await person.load()
    assert (await client.upload(PATH, files.PNG)).status == 200


async def test_a_request_that_was_cut_before_its_answer_has_no_status(
    client: Client, sandbox: Sandbox, person: Person
) -> None:
    await sandbox.fault("POST", PATH, cut="before")
    with pytest.raises(aiohttp.ClientError):
        await client.upload(PATH, files.PNG)
    assert f"<td>POST {PATH}</td><td>none</td>" in await person.load()


@pytest.mark.parametrize("choice", CHOICES)
async def test_every_button_is_there_and_can_be_pressed(person: Person, choice: str) -> None:
    assert f'value="{choice}"' in await person.load()
    assert (await person.press(choice, site=None))[0] == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_cannot_press_a_button(person: Person, site: str) -> None:
    assert (await person.press("refuse", site))[0] == 403
    assert HEALTHY in await person.load()


async def test_an_unknown_choice_is_refused(person: Person) -> None:
    assert (await person.press("explode"))[0] == 400


async def test_the_page_shows_paths_as_text(person: Person, client: Client) -> None:
    await client.request("GET", "/v1/%3Cscript%3Ealert(1)%3C/script%3E")
    shown = await person.load()
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script" not in shown
