import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from gateway.answer import KEPT_HEADERS, Answer, kept_headers
from gateway.choices import Delivery
from gateway.text import as_received, clean, cleaned, digest
from gateway.uploads import keys
from gateway.uploads.excerpt import Piece
from gateway.uploads.record import (
    Attempt,
    Cause,
    Change,
    Fault,
    File,
    Removed,
    State,
    Target,
    Terms,
    Upload,
    from_json,
    pack,
    to_json,
    unpack,
)

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
"""Lone surrogates, too."""

BROKEN = "x\udcffy\ud800\udc00z"
MENDED = "x\ufffdy\ufffd\ufffdz"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
WHOLE = Upload(
    id="i",
    subject="s",
    request_id="r",
    trace={"traceparent": "t"},
    delivery=Delivery.RELAY,
    target=Target("POST", "/v1"),
    history=(Change(State.RELAYED, NOW),),
    files=(
        File(
            name="n", original_name="o", declared_type="d", size=1, crc32c=1, sha256="h",
            content_type="c", head=b"\xff", pieces=(Piece(1, b"\xff"),), disposition=b"\xff",
        ),
    ),
    terms=Terms(allowed_types=("a",), denied_types=("b",), require_match=True, file_retention=1.0),
    fields=(("f", "v"),),
    url="u",
    authorization="a",
    token_until=NOW,
    ambiguities=("m",),
    attempt=Attempt(count=1, first_at=NOW, unknown=True, lease=1.0, pause=1.0, settling=1.0),
    result=Answer(200, (("Content-Type", "v"),), b"\xff"),
    fault=Fault("s", "d"),
    removed=Removed(NOW, Cause.SUBJECT),
    came_as=1,
)  # fmt: skip
"""With something in every field."""


def broken(value: Any) -> Any:
    """The same, with broken text wherever there is text."""
    match value:
        case Enum() | bytes():
            return value
        case str():
            return BROKEN
        case msgspec.Struct():
            members = asdict(value)
            return replace(value, **{name: broken(member) for name, member in members.items()})
        case dict():
            return {broken(name): broken(member) for name, member in value.items()}
        case tuple():
            return tuple(broken(member) for member in value)
    return value


@given(st.binary())
def test_decoded_text_becomes_the_same_bytes_again(data: bytes) -> None:
    assert as_received(data.decode("utf-8", "surrogateescape")) == data


@given(ANY_TEXT)
def test_clean_text_can_be_encoded_and_valid_text_is_unchanged(text: str) -> None:
    assert clean(text).encode().decode() == clean(text)
    assert len(clean(text)) == len(text)
    for before, after in zip(text, clean(text), strict=True):
        assert after == ("\ufffd" if "\ud800" <= before <= "\udfff" else before)


@given(ANY_TEXT, ANY_TEXT)
def test_digests_tell_any_texts_apart(one: str, other: str) -> None:
    assert (digest(one) == digest(other)) is (one == other)
    assert len(keys.claim(one, other)) == len(keys.claim("", ""))
    assert len(keys.quota(one)) == 3
    assert keys.of_subject(one) == keys.of_subject(one)


@given(st.text())
def test_digests_of_texts_that_are_whole_stay_what_they_were(text: str) -> None:
    assert digest(text) == hashlib.sha256(text.encode()).hexdigest()


def test_the_sample_has_something_in_every_field() -> None:
    for part in (WHOLE, WHOLE.file, WHOLE.terms, WHOLE.attempt, WHOLE.result, WHOLE.fault):
        assert part is not None
        empty = [name for name, value in asdict(part).items() if value is None or value == ()]
        assert not empty


def test_a_record_is_kept_whatever_text_is_in_it() -> None:
    upload = broken(WHOLE)
    kept = from_json(to_json(upload))
    assert kept == unpack(pack(upload)) == cleaned(upload)
    assert kept.subject == kept.target.path == kept.file.name == MENDED
    assert kept.result == Answer(200, ((MENDED, MENDED),), b"\xff")
    assert kept.trace == {MENDED: MENDED}


def test_a_record_with_whole_text_is_kept_as_it_is() -> None:
    assert from_json(to_json(WHOLE)) == unpack(pack(WHOLE)) == cleaned(WHOLE) == WHOLE


def test_the_kept_part_of_an_answer_is_clean() -> None:
    headers = {**dict.fromkeys(KEPT_HEADERS, BROKEN), "X-Other": BROKEN}
    assert kept_headers(headers) == tuple((name, MENDED) for name in KEPT_HEADERS)
    assert kept_headers({"Content-Type": "é"}) == (("Content-Type", "é"),)


def test_any_text_can_be_logged() -> None:
    script = (
        "import logging\n"
        "from gateway.telemetry import bind_ids, configure_logs, get_logger, log_request\n"
        f"configure_logs('info'); text = {BROKEN!r}; bind_ids(request_id=text)\n"
        "log_request(method=text, path=text, status=200, seconds=1.0, client=text)\n"
        "get_logger(text).info(text, at=text, of={text: [text]}, error=ValueError(text))\n"
        "try: raise ValueError(text)\n"
        "except ValueError: get_logger('m').exception('failed')\n"
        "logging.getLogger('library').warning('lost %s', text)\n"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    events = [json.loads(line) for line in output.stderr.splitlines()]
    assert len(events) == 4, output.stderr
    assert all(clean(str(event)) == str(event) for event in events)
    assert events[0]["path"] == events[1]["event"] == events[1]["at"] == MENDED
