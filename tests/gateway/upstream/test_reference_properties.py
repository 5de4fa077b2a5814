"""What a client sent arrives unchanged, whichever way it was encoded."""

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidField
from gateway.upstream.endpoints import Generation, recognise
from gateway.upstream.reference import ExternalFile, check_fields, reference_body

TARGETS = [recognise("/v1/channels/1/messages"), recognise("/threads/1/messages")]
PICTURE = recognise("/users/1/display-picture")
GROUP_TAG = {Generation.V1: "groupTag", Generation.CURRENT: "group_tag"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False).filter(lambda number: abs(number) != float("inf")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)
FILES = st.builds(ExternalFile, st.text(), st.text(), st.text(), st.integers(0, 2**63 - 1))
ENDPOINTS = st.sampled_from(TARGETS)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["groupTag", "properties", "username", "file", ""]) | st.text(),
        st.text() | JSON.map(json.dumps),
    )
)


@given(ENDPOINTS, FILES, OBJECTS, st.booleans())
def test_properties_arrive_as_the_object_that_was_sent(target, file, properties, escaped):
    text = json.dumps(properties, ensure_ascii=escaped)
    body = reference_body(target, file, [("properties", text)])
    assert json.loads(json.dumps(body))["properties"] == properties


@given(ENDPOINTS, FILES, st.text(), st.sampled_from(sorted(GROUP_TAG.values())))
def test_a_quoted_text_arrives_as_the_text(target, file, text, spelling):
    body = reference_body(target, file, [(spelling, json.dumps(text))])
    assert json.loads(json.dumps(body))[GROUP_TAG[target.generation]] == text


@given(ENDPOINTS, FILES, st.text().filter(lambda text: not text.startswith('"')))
def test_a_raw_text_arrives_as_the_text(target, file, text):
    body = reference_body(target, file, [("username", text)])
    assert body["user"] == {"username": text}


@given(ENDPOINTS, FILES)
def test_the_file_is_described_as_it_is(target, file):
    described = reference_body(target, file, [])["file"]
    assert isinstance(described, dict)
    assert list(described.values()) == [file.url, file.name, file.content_type, file.size]


@given(st.sampled_from([*TARGETS, PICTURE]), FILES, FIELDS)
def test_the_door_and_the_reference_judge_alike(target, file, fields):
    at_the_door = verdict(lambda: check_fields(target, fields))
    assert at_the_door == verdict(lambda: reference_body(target, file, fields))


def verdict(judge: Callable[[], object]) -> str | None:
    """Why the fields are refused, if they are."""
    try:
        judge()
    except InvalidField as error:
        return str(error)
    return None


@given(ENDPOINTS, FILES, FIELDS)
def test_no_field_changes_what_the_reference_itself_says(target, file, fields):
    try:
        body = reference_body(target, file, fields)
    except InvalidField:
        return
    bare = reference_body(target, file, [])
    assert {name: body[name] for name in bare} == bare
    assert len(body) == len(bare) + len(fields)
