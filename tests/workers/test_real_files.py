"""Real files of the common types are what docs/content-types.md says, whatever they are called."""

import asyncio
import re
from pathlib import Path

import pytest

from gateway.server.handlers.files import is_inert
from gateway.uploads.policy import Accepted, Rejected, judge
from gateway.uploads.record import Terms
from tests.flows.client import Answer, Client
from tests.servers.sandbox import CHANNEL
from workers.sniff import Sniffer

ROOT = Path(__file__).parent.parent.parent
FILES = ROOT / "tests" / "files"
_ROW = re.compile(r"\| `([^`]+)` \| ((?:`[^`]+`(?:, )?)+) \| [^|]+ \| (shown|saved|denied) \|")
ROWS = {
    name: (kind, becomes)
    for kind, names, becomes in _ROW.findall((ROOT / "docs" / "content-types.md").read_text())
    for name in re.findall(r"`([^`]+)`", names)
}


def test_every_file_has_its_row() -> None:
    assert set(ROWS) == {path.name for path in FILES.iterdir()} - {"SOURCES.md"}
    assert len(ROWS) > 60


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("name", "kind", "becomes"), [(n, *row) for n, row in ROWS.items()])
async def test_a_real_file_is_what_the_table_says(
    sniffer: Sniffer, name: str, kind: str, becomes: str
) -> None:
    data = (FILES / name).read_bytes()

    async def read_range(start: int, length: int) -> bytes:
        return data[start : start + length]

    sniffed = await sniffer.sniff(len(data), read_range)
    assert sniffed.content_type == kind
    assert not sniffed.ambiguous
    assert not sniffed.bomb
    denied = isinstance(judge(Terms(), sniffed, None), Rejected)
    assert ("denied" if denied else "shown" if is_inert(kind) else "saved") == becomes
    # A route that takes this type alone, and denies none, takes the file.
    assert judge(Terms(allowed_types=(kind,), denied_types=()), sniffed, None) == Accepted()


@pytest.mark.slow
async def test_names_and_declared_types_change_nothing(external: Client) -> None:
    async def upload(name: str, called: str, declared: str) -> Answer:
        async with turns:
            data = (FILES / name).read_bytes()
            path = f"/v1/channels/{CHANNEL}/messages"
            return await external.upload(path, data, name=called, content_type=declared)

    async def check(name: str) -> None:
        kind, becomes = ROWS[name]
        for called, declared in ((name, kind), ("photo.png", "image/png")):
            answer = await upload(name, called, declared)
            if becomes == "denied":
                assert (answer.status, answer.json()["type"][-11:]) == (422, "denied-type")
            else:
                assert answer.status == 200, (name, answer.body)
                file = answer.json()["file"]
                assert (file["contentType"], file["name"]) == (kind, called)

    turns = asyncio.Semaphore(8)
    await asyncio.gather(*map(check, ROWS))
