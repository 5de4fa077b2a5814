"""The catalogue of hostile forms, sent to each gateway together with well-formed requests."""

import asyncio
import json
import re
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from gateway.choices import Hash
from gateway.delivery.relay.tap import Tap
from gateway.media_types import UNKNOWN_TYPE
from gateway.multipart import Ambiguity, declared_boundaries
from gateway.uploads.mismatch import Reported, Seen, compare
from gateway.uploads.policy import Sniffed
from gateway.uploads.record import File
from tests.flows.client import ENDS
from tests.flows.raw import chunked, head
from tests.hostile.cases import CASES, CLEAR, DOUBTED, HOSTED, ROW_OF, Case
from tests.hostile.doors import Door
from tests.hostile.never import AUTHORIZATION, Watch
from tests.hostile.talk import WORKED_ON, Line, Reply
from tests.hostile.test_readers import KNOWN
from tests.hostile.upstream import file_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

BY_ROW = {
    row: list(cases)
    for row, cases in groupby(sorted(CASES, key=lambda case: case.row), lambda case: case.row)
}
CATALOGUE = Path(__file__).parents[2] / "docs" / "conformance.md"
ELSEWHERE = {
    "aborted": "tests/hostile/test_any_bytes.py",
    "no-upload": "tests/hostile/test_no_upload.py",
    "readers": "tests/hostile/test_readers.py",
    "upstream-refuses": "tests/hostile/test_no_upload.py",
}
"""Rows that are no case of the table, and the tests that have them."""


def path_of(case: Case) -> str:
    return f"/v1/channels/{1000 + CASES.index(case)}/messages"


def request_of(case: Case, path: str | None = None) -> bytes:
    """The case as a request, by default to a path of its own."""
    path = path or path_of(case)
    content_type = f"Content-Type: {case.content_type}"
    if not case.chunk:
        framing = f"Content-Length: {len(case.body)}"
        return head(path, AUTHORIZATION, content_type, framing) + case.body
    body = chunked(case.body, case.chunk)
    start = head(path, AUTHORIZATION, content_type, "Transfer-Encoding: chunked")
    return start + (body.removesuffix(b"0\r\n\r\n") if case.unfinished else body)


@pytest.mark.parametrize("row", BY_ROW)
async def test_each_hostile_form_is_answered_and_forgotten(
    row: str, door: Door, watch: Watch
) -> None:
    cases = BY_ROW[row]
    replies = await watch.survive_all(
        [request_of(case) for case in cases],
        unfinished=[request_of(case) for case in cases if case.unfinished],
    )
    assert None not in replies
    heard = [reply for reply in replies if reply is not None]
    await asyncio.gather(
        *(_assert_outcome(case, reply, door) for case, reply in zip(cases, heard, strict=True))
    )


async def _assert_outcome(case: Case, reply: Reply, door: Door) -> None:
    expected = case.relay if door.relays else case.external
    if isinstance(expected, int):
        assert (case.name, reply.status) == (case.name, expected), reply.body
        assert door.upstream.take_at(path_of(case)) == []
    elif door.relays:
        await _assert_relayed(case, expected, reply, door)
    else:
        assert expected == HOSTED
        _assert_hosted(case, reply, door)


async def _assert_relayed(case: Case, expected: str, reply: Reply, door: Door) -> None:
    assert (case.name, reply.status) == (case.name, 200), reply.body
    [seen] = door.upstream.take_at(path_of(case))
    assert seen.body == case.body, case.name
    upload = await end_of(door, reply.header("upload-id") or "")
    assert bool(upload.get("ambiguities")) is (expected == DOUBTED), (case.name, upload)
    assert expected in {CLEAR, DOUBTED}
    state = "flagged" if _read_differently(case) else "audited"
    assert upload["state"] == state, (case.name, upload)


def _read_differently(case: Case) -> bool:
    tap = Tap(declared_boundaries(case.content_type), Hash.OFF)
    tap.observe(case.body)
    return _differs(tap.finish().files, file_of(case.content_type, case.body))


def _differs(files: tuple[File, ...], claim: dict[str, Any] | None) -> bool:
    """Whether the upstream's reading is none of the files that passed by."""
    if claim is None or not files:
        return bool(files) is not bool(claim)
    unknown = Sniffed(UNKNOWN_TYPE)
    seen = [Seen(unknown, file.size, file.original_name, file.disposition) for file in files]
    return all(compare(each, Reported(None, claim["size"], claim["name"])) for each in seen)


def _assert_hosted(case: Case, reply: Reply, door: Door) -> None:
    assert (case.name, reply.status) == (case.name, 200), reply.body
    [registered] = door.upstream.take_at(path_of(case))
    file = json.loads(registered.body)["file"]
    if case.safe_name is not None:
        assert file["name"] == case.safe_name


async def end_of(door: Door, upload_id: str) -> dict[str, Any]:
    """The upload resource at its end."""
    request = head(f"/gateway/uploads/{upload_id}", AUTHORIZATION, method="GET")
    async with asyncio.timeout(WORKED_ON), Line.open(door.url) as line:
        while True:
            await line.send([request])
            reply = await line.reply()
            assert reply is not None
            assert reply.status == 200, reply
            found: dict[str, Any] = json.loads(reply.body)
            if found["state"] in ENDS:
                return found
            await asyncio.sleep(0.1)


async def test_what_the_upstream_reads_otherwise_is_doubted_unless_it_is_known_why() -> None:
    relayed = [case for case in CASES if case.relay in {CLEAR, DOUBTED} and not case.unfinished]
    otherwise = [case for case in relayed if _read_differently(case)]
    assert len([case for case in otherwise if case.relay == DOUBTED]) > 10
    # A `file` without a filename is none to the upstream, which its audit shows.
    clear = [case for case in otherwise if case.relay == CLEAR and b"filename" in case.body]
    assert {case.name for case in clear} <= set(KNOWN)


async def test_every_row_of_the_catalogue_has_a_case_and_every_case_a_row() -> None:
    text = CATALOGUE.read_text()
    forms, reasons = text[text.index("## Forms") :].split("### What is ambiguous")
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", forms, re.MULTILINE))
    assert rows == {*BY_ROW, *ELSEWHERE}
    root = CATALOGUE.parents[1]
    assert all((root / test).exists() for test in ELSEWHERE.values())
    assert set(ROW_OF) == set(Ambiguity)
    assert all(f"`{reason.name.lower()}`" in reasons for reason in Ambiguity)
