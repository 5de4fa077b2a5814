"""The JSON of an answer, which the upstream may write in any way."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answer import Answer
from workers.steps.audit import reported_in


@given(
    st.text(st.characters(codec=None, exclude_categories=[]) | st.sampled_from("\ud800\udfff")),
    st.booleans(),
)
def test_any_answer_can_be_recorded(text: str, ascii_only: bool) -> None:
    document = {"file": {"contentType": text, "name": text, "size": 1}, text: text}
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    reported = reported_in(Answer(200, (), body))
    if reported is not None:
        msgspec.json.encode([reported.content_type, reported.name])


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff", b"[]", b""],
)
def test_an_answer_that_is_not_an_object_is_none(body: bytes) -> None:
    assert Answer(200, (), body).json_object() is None
