"""Each case as other readers see it: if one disagrees, ours doubts, or the reason is given here."""

import base64
import json
import subprocess
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import multipart
import pytest
from python_multipart.multipart import parse_options_header as options_of
from werkzeug.http import parse_options_header

from fuzz.feeding import scan
from fuzz.oracles import LENIENT, ORACLES, Reading
from gateway.multipart import MultipartError, declared_boundaries
from tests.clients.install import NODE
from tests.gateway.multipart.tomcat import tomcat
from tests.hostile.cases import CASES, CLEAR, Case

READERS = ORACLES | LENIENT

BOUNDARY_OF: dict[str, Callable[[str], object]] = {
    "email": lambda value: _mail(value).get_boundary(""),
    "python-multipart": lambda value: options_of(value)[1].get(b"boundary", b"").decode(),
    "multipart": lambda value: multipart.parse_options_header(value)[1].get("boundary", ""),
    "Werkzeug": lambda value: parse_options_header(value)[1].get("boundary", ""),
}

WHOLE = [case for case in CASES if not case.unfinished]
CERTAIN = [case for case in WHOLE if case.relay == CLEAR]

REFUSED = "refused: another reader takes no such form, so it makes nothing of it"
SPELT = "spelt: the filename is written otherwise; the audit knows each of its readings"
NAMED = "named: an escape in a field's name is left as it came; no name that means anything has one"
LOST = "lost: busboy drops the text of a field whose charset it does not know"

KNOWN = {
    "the first line tells it": REFUSED,
    "a parameter without a value": REFUSED,
    "curl's, which uses the last": REFUSED,
    "a short preamble": REFUSED,
    "a foreign delimiter before it": REFUSED,
    "a part's own length and encoding": REFUSED,
    "quotes escaped as browsers do": SPELT,
    "a Windows path": SPELT,
    "a filename as a word of mail": SPELT,
    "a stand-in beside an extended filename": SPELT,
    "a word of mail beside an extended filename": SPELT,
    "a percent-encoded filename": SPELT,
    "a filename between blanks": SPELT,
    "the filename 'C:\\\\x\\\\y.png'": SPELT,
    "the filename 'a%0D%0ASet-Cookie: x'": SPELT,
    "an escaped quote in a name": NAMED,
    "a charset that is none": LOST,
}
"""Forms that clients mean in one way, which is ours, and of which another reader makes less."""


@pytest.mark.parametrize("reader", READERS)
def test_what_ours_is_certain_of_other_readers_see_in_the_same_way(reader: str) -> None:
    for case in CERTAIN:
        assert _difference(library(reader, case), ours(case)) in {None, KNOWN.get(case.name)}, case


def test_busboy_sees_it_in_the_same_way(node: Path) -> None:
    for case, reading in zip(CERTAIN, busboy(node, CERTAIN), strict=True):
        assert _difference(reading, ours(case)) in {None, KNOWN.get(case.name)}, (case, reading)


@pytest.mark.parametrize("charset", ["utf-8", ""])
def test_tomcat_sees_it_in_the_same_way(charset: str) -> None:
    for case in CERTAIN:
        reading = tomcat().read(case.body, case.content_type, charset)
        assert _difference(reading, ours(case)) in {None, KNOWN.get(case.name)}, (case, reading)


def test_tomcat_sees_a_file_in_what_our_scanner_reads_as_a_field() -> None:
    """The reader that counts is not only more careful than ours: it is another."""
    hidden = [
        case.name
        for case in WHOLE
        if case.relay != CLEAR
        and "file" in _files(tomcat().read(case.body, case.content_type))
        and "file" not in _files(ours(case))
    ]
    assert {"a name as a word of mail", "a name behind a blank", "an extended name alone"} <= {
        *hidden
    }


@pytest.mark.parametrize("reader", READERS)
def test_some_doubted_forms_are_read_differently_by_a_reader(reader: str) -> None:
    doubted = [case for case in WHOLE if case.relay != CLEAR]
    assert any(_difference(library(reader, case), ours(case)) for case in doubted)


def _files(reading: Reading | None) -> list[str | None]:
    return [name for name, filename, _ in reading or () if filename is not None]


def _mail(content_type: str) -> Message:
    message = Message()
    message["Content-Type"] = content_type
    return message


def library(reader: str, case: Case) -> Reading | None:
    """How a library reads the case, by the boundary that it finds itself."""
    boundary = BOUNDARY_OF[reader](case.content_type)
    return READERS[reader](case.body, str(boundary).encode()) if boundary else None


def ours(case: Case) -> Reading | None:
    try:
        return scan([case.body], declared_boundaries(case.content_type)).contents
    except MultipartError:
        return None


def busboy(node: Path, cases: list[Case]) -> list[Reading | None]:
    forms = [
        {"contentType": case.content_type, "body": base64.b64encode(case.body).decode()}
        for case in cases
    ]
    done = subprocess.run(
        [node, NODE / "busboy.mjs"],
        input=json.dumps(forms).encode(),
        capture_output=True,
        check=True,
    )
    return [
        None
        if reading is None
        else [(name, filename, base64.b64decode(data)) for name, filename, data in reading]
        for reading in json.loads(done.stdout)
    ]


def _difference(theirs: Reading | None, mine: Reading | None) -> str | None:
    """What is another in their reading; text that is no UTF-8 may be spelt otherwise."""
    if theirs is None or mine is None:
        return None if theirs is mine else REFUSED
    others, own = ([_comparable(part) for part in reading] for reading in (theirs, mine))
    if others == own:
        return None
    if [(name, data) for name, _, data in others] == [(name, data) for name, _, data in own]:
        return SPELT
    if [name for name, _, _ in others] == [name for name, _, _ in own]:
        return LOST
    if [tuple(rest) for _, *rest in others] == [tuple(rest) for _, *rest in own]:
        return NAMED
    return "another form"


def _comparable(part: tuple[str | None, str | None, bytes]) -> tuple[str | None, str | None, str]:
    name, filename, data = part
    return name, filename or None, data.decode(errors="replace")
