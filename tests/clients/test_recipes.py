"""The recipes of docs/clients.md that can run here, as they stand there."""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.recipes import BLOCK, DOCS, Recipe
from tests.clients.samples import png
from tests.programs import need
from tests.servers.gateway import Gateway
from tests.servers.sandbox import Sandbox

_REFUSAL: Final[dict[str, Any]] = {"status": 503, "headers": {"Retry-After": "1"}}


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
        place = tmp_path / f"r-{recipe.heading}"
        message = await recipe.send(place, relay_gateway.url, path, png())
        assert [message] == await sandbox.messages(f"channels/{channel}"), recipe
        answers = [each["status"] for each in await sandbox.requests() if each["path"] == path]
        assert answers[:2] == [503, 200], recipe

    async def hosted(recipe: Recipe, channel: int) -> None:
        path = f"/v1/channels/{channel}/messages"
        place = tmp_path / f"h-{recipe.heading}"
        upload = await recipe.send(place, external_gateway.url, path, png())
        (message,) = await sandbox.messages(f"channels/{channel}")
        assert (upload["state"], upload["url"]) == ("registered", message["file"]["url"]), recipe

    channels = [await sandbox.new_channel() for _ in (*recipes, *recipes)]
    for channel in channels[: len(recipes)]:
        await sandbox.fault("POST", f"/v1/channels/{channel}/messages", **_REFUSAL)
    await asyncio.gather(
        *map(relayed, recipes, channels),
        *map(hosted, recipes, channels[len(recipes) :]),
    )


@pytest.mark.parametrize("page", ["clients.md", "mobile.md"])
def test_a_recipe_is_short(page: str) -> None:
    blocks = BLOCK.findall((DOCS / page).read_text().partition("## curl\n")[2])
    assert blocks
    assert max(len(block.splitlines()) for block in blocks) <= 25
