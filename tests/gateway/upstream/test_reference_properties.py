"""What a client sent arrives unchanged, whichever way it was encoded."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AnotherUser, InvalidField
from gateway.upstream.endpoints import Endpoint, Generation, recognise
from gateway.upstream.reference import ExternalFile, check_fields, fields_of_user, reference_body

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
def test_properties_arrive_as_the_object_that_was_sent(
    target: Endpoint, file: ExternalFile, properties: dict[str, object], escaped: bool
) -> None:
    text = json.dumps(properties, ensure_ascii=escaped)
    body = reference_body(target, file, [("properties", text)])
    assert json.loads(json.dumps(body))["properties"] == properties


@given(ENDPOINTS, FILES, st.text(), st.sampled_from(sorted(GROUP_TAG.values())))
def test_a_quoted_text_arrives_as_the_text(
    target: Endpoint, file: ExternalFile, text: str, spelling: str
) -> None:
    body = reference_body(target, file, [(spelling, json.dumps(text))])
    assert json.loads(json.dumps(body))[GROUP_TAG[target.generation]] == text


@given(ENDPOINTS, FILES, st.text().filter(lambda text: not text.startswith('"')))
def test_a_raw_text_arrives_as_the_text(target: Endpoint, file: ExternalFile, text: str) -> None:
    body = reference_body(target, file, [("username", text)])
    assert body["user"] == {"username": text}


@given(ENDPOINTS, FILES)
def test_the_file_is_described_as_it_is(target: Endpoint, file: ExternalFile) -> None:
    described = reference_body(target, file, [])["file"]
    assert isinstance(described, dict)
    assert list(described.values()) == [file.url, file.name, file.content_type, file.size]


@given(st.sampled_from([*TARGETS, PICTURE]), FILES, FIELDS)
def test_the_door_and_the_reference_judge_alike(
    target: Endpoint, file: ExternalFile, fields: list[tuple[str, str]]
) -> None:
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
def test_no_field_changes_what_the_reference_itself_says(
    target: Endpoint, file: ExternalFile, fields: list[tuple[str, str]]
) -> None:
    try:
        body = reference_body(target, file, fields)
    except InvalidField:
        return
    bare = reference_body(target, file, [])
    assert {name: body[name] for name in bare} == bare
    assert len(body) == len(bare) + len(fields)


NAMES = st.text(min_size=1) | st.sampled_from(["jane", '"jane"', '"', '\\"', "null", "{}"])
_USERS = ("username", "userName", "user_name", "Username", "user", "User", "userId", "user_id")
SPELLINGS = st.sampled_from([*_USERS, "user.id", "groupTag", "group_tag", "properties"])
ANY_FIELDS = st.lists(
    st.tuples(
        SPELLINGS | st.text(),
        NAMES | NAMES.map(json.dumps) | NAMES.map(lambda name: json.dumps({"username": name})),
    ),
    max_size=4,
)


@given(ENDPOINTS, FILES, ANY_FIELDS, NAMES)
def test_bound_caller_posts_as_its_user_whatever_it_sends(
    target: Endpoint, file: ExternalFile, fields: list[tuple[str, str]], name: str
) -> None:
    try:
        posted = fields_of_user(target, fields, name)
    except (InvalidField, AnotherUser):
        return
    body = json.loads(json.dumps(reference_body(target, file, posted)))
    assert body["user"] == {"username": name}
    assert set(body) <= {"type", "file", "user", "properties", GROUP_TAG[target.generation]}
    assert fields_of_user(target, posted, name) == posted


@given(
    ENDPOINTS,
    FILES,
    OBJECTS,
    st.text(),
    NAMES.filter(lambda name: not name.startswith('"')),
    st.sampled_from([None, str, json.dumps]),
)
def test_what_a_bound_user_may_send_arrives_as_it_was_sent(
    target: Endpoint,
    file: ExternalFile,
    properties: dict[str, object],
    tag: str,
    name: str,
    spell: Callable[[str], str] | None,
) -> None:
    parts = [("properties", json.dumps(properties)), ("groupTag", json.dumps(tag))]
    own = [] if spell is None else [("username", spell(name))]
    body = reference_body(target, file, fields_of_user(target, [*own, *parts], name))
    assert body["user"] == {"username": name}
    assert body["properties"] == properties
    assert body[GROUP_TAG[target.generation]] == tag


@given(ENDPOINTS, NAMES, NAMES)
def test_another_name_is_refused_however_it_is_spelt(
    target: Endpoint, name: str, other: str
) -> None:
    for text in (json.dumps(other), other if not other.startswith('"') else json.dumps(other)):
        if name == other:
            assert fields_of_user(target, [("username", text)], name)
        else:
            with pytest.raises(AnotherUser):
                fields_of_user(target, [("username", text)], name)


def test_a_repeated_name_is_refused_even_if_it_is_the_same() -> None:
    target = recognise("/v1/channels/1/messages")
    assert target is not None
    with pytest.raises(InvalidField):
        fields_of_user(target, [("username", "a"), ("username", '"a"')], "a")
