"""The recipes of docs/clients.md that can run here, as they stand there."""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import pytest

from tests.clients.drivers import run
from tests.clients.samples import png
from tests.programs import need
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS, Sandbox

PAGE: Final = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
_GATEWAY: Final = "https://uploads.example.com"
_TOKEN: Final = "ACCESS-TOKEN"
_PATH: Final = "/v1/channels/702/messages"
_KEY: Final = "7c0e1b6e-2f61-4f3c-8a52-1f2d3c4b5a69"
_BLOCK: Final = re.compile(r"(?ms)^```\w+\n(.*?)^```$")
_REFUSAL: Final[dict[str, Any]] = {"status": 503, "headers": {"Retry-After": "1"}}


@dataclass(frozen=True)
class Recipe:
    """A section of the page, and what runs its code from a file of that name."""

    heading: str
    file: str
    program: Sequence[str]

    @property
    def code(self) -> str:
        """All blocks of the section."""
        _, _, rest = PAGE.partition(f"## {self.heading}\n")
        section, _, _ = rest.partition("\n## ")
        return "\n".join(_BLOCK.findall(section))

    def lay(self, directory: Path, gateway: str, path: str) -> None:
        """Write the code, and the file that it uploads to that path of the gateway."""
        directory.mkdir()
        (directory / "cat.png").write_bytes(png())
        code = self.code
        for shown, real in ((_GATEWAY, gateway), (_TOKEN, TOKENS["alice"]), (_PATH, path)):
            assert shown in code, shown
            code = code.replace(shown, real)
        (directory / self.file).write_text(re.sub(_KEY, str(uuid4()), code))

    async def send(self, directory: Path, gateway: str, path: str) -> Any:
        """What it prints at its end of an upload: the JSON of the answer, or of the upload."""
        self.lay(directory, gateway, path)
        printed = await run([*self.program, self.file], directory=directory)
        return json.loads(printed[printed.index("{") :])


@pytest.fixture
def recipes(node: Path) -> list[Recipe]:
    need("curl", packages="curl")
    return [
        Recipe("curl", "recipe.sh", ["sh", "-eu"]),
        Recipe("JavaScript", "recipe.mjs", [str(node)]),
        Recipe("Python", "recipe.py", [sys.executable]),
    ]


@pytest.mark.usefixtures("worker")
async def test_a_recipe_sends_one_message(
    recipes: list[Recipe],
    relay_gateway: Gateway,
    external_gateway: Gateway,
    sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    """A relayed one that ChatKitty refuses at first, and a hosted one that is waited for.

    All at a time, since each of them waits for a second.
    """

    async def relayed(recipe: Recipe, channel: int) -> None:
        path = f"/v1/channels/{channel}/messages"
        message = await recipe.send(tmp_path / f"r-{recipe.heading}", relay_gateway.url, path)
        assert [message] == await sandbox.messages(f"channels/{channel}"), recipe
        answers = [each["status"] for each in await sandbox.requests() if each["path"] == path]
        assert answers[:2] == [503, 200], recipe

    async def hosted(recipe: Recipe, channel: int) -> None:
        path = f"/v1/channels/{channel}/messages"
        upload = await recipe.send(tmp_path / f"h-{recipe.heading}", external_gateway.url, path)
        (message,) = await sandbox.messages(f"channels/{channel}")
        assert (upload["state"], upload["url"]) == ("registered", message["file"]["url"]), recipe

    channels = [await _new_channel(sandbox) for _ in (*recipes, *recipes)]
    for channel in channels[: len(recipes)]:
        await sandbox.fault("POST", f"/v1/channels/{channel}/messages", **_REFUSAL)
    await asyncio.gather(
        *map(relayed, recipes, channels),
        *map(hosted, recipes, channels[len(recipes) :]),
    )


async def _new_channel(sandbox: Sandbox) -> int:
    headers = {"Authorization": f"Bearer {TOKENS['alice']}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{sandbox.url}/v1/channels", json={"type": "PUBLIC"}) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return int((await answer.json())["id"])


def test_a_recipe_is_short() -> None:
    blocks = _BLOCK.findall(PAGE.partition("## curl\n")[2])
    assert blocks
    assert max(len(block.splitlines()) for block in blocks) <= 25
