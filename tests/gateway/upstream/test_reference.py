"""Which part of a form becomes which member of the reference."""

import json
from pathlib import Path

import pytest
from openapi_schema_validator import OAS30Validator

from gateway.errors import InvalidField
from gateway.upstream.endpoints import Endpoint, recognise
from gateway.upstream.reference import ExternalFile, check_fields, reference_body

FILE = ExternalFile("https://files.example/f/1/jane.png", "jane.png", "image/png", 32768)
SPECIFICATION = json.loads(
    (Path(__file__).parents[2] / "data" / "chatkitty-openapi-2.41.9.json").read_text()
)


def endpoint(path: str) -> Endpoint:
    found = recognise(path)
    assert found is not None
    return found


V1 = endpoint("/v1/channels/702/messages")
CURRENT = endpoint("/channels/702/messages")
PICTURE = endpoint("/v1/users/1/display-picture")


def faults(schema: str, body: dict[str, object]) -> list[str]:
    """What ChatKitty's own schema finds wrong with a body."""
    components = SPECIFICATION["components"]
    validator = OAS30Validator({**components["schemas"][schema], "components": components})
    return [error.message for error in validator.iter_errors(body)]


def test_a_v1_message_is_spelt_in_camel_case() -> None:
    fields = [("groupTag", "g1"), ("properties", '{"k": 1}'), ("username", "jane@chatkitty.com")]
    body = reference_body(V1, FILE, fields)
    assert body == {
        "type": "FILE",
        "file": {
            "url": "https://files.example/f/1/jane.png",
            "name": "jane.png",
            "contentType": "image/png",
            "size": 32768,
        },
        "groupTag": "g1",
        "properties": {"k": 1},
        "user": {"username": "jane@chatkitty.com"},
    }
    assert faults("CreateFileMessageResource", body) == []


def test_a_current_message_is_spelt_in_snake_case() -> None:
    body = reference_body(CURRENT, FILE, [("group_tag", "g1")])
    assert body["group_tag"] == "g1"
    assert body["file"] == {
        "url": "https://files.example/f/1/jane.png",
        "name": "jane.png",
        "content_type": "image/png",
        "size": 32768,
    }


@pytest.mark.parametrize("sent", ["groupTag", "group_tag"])
@pytest.mark.parametrize(("target", "emitted"), [(V1, "groupTag"), (CURRENT, "group_tag")])
def test_either_spelling_is_accepted_and_the_endpoints_own_returned(
    sent: str, target: Endpoint, emitted: str
) -> None:
    assert reference_body(target, FILE, [(sent, "g1")])[emitted] == "g1"


def test_a_display_picture_is_the_described_file_itself() -> None:
    body = reference_body(PICTURE, FILE, [])
    assert body == reference_body(V1, FILE, [])["file"]
    assert faults("CreateExternalFileProperties", body) == []


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ('"g1"', "g1"),
        ("g1", "g1"),
        (r'"\u00e9\n\"x\""', 'é\n"x"'),
        ('"', '"'),
        ('"g1', '"g1'),
        ('"a" and "b"', '"a" and "b"'),
        ("702", "702"),
        ("null", "null"),
        ("", ""),
        ('""', ""),
    ],
)
def test_a_json_string_is_read_as_its_text_and_anything_else_as_it_is(
    sent: str, meant: str
) -> None:
    assert reference_body(V1, FILE, [("groupTag", sent)])["groupTag"] == meant
    assert reference_body(V1, FILE, [("username", sent)])["user"] == {"username": meant}


def test_properties_may_be_quoted_once_more() -> None:
    body = reference_body(V1, FILE, [("properties", json.dumps('{"k": 1}'))])
    assert body["properties"] == {"k": 1}


def test_an_unknown_part_is_passed_on_as_text_under_its_own_name() -> None:
    assert reference_body(CURRENT, FILE, [("replyTo", "12")])["replyTo"] == "12"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([("groupTag", "a"), ("groupTag", "a")], "`groupTag` was sent more than once"),
        ([("groupTag", "a"), ("group_tag", "b")], "`groupTag` was sent more than once"),
        ([("x", "a"), ("x", "b")], "`x` was sent more than once"),
        ([("file", "x")], "must not be named `file`"),
        ([("type", "TEXT")], "must not be named `type`"),
        ([("user", "jane")], "must not be named `user`"),
        ([("", "x")], "has no name"),
        ([("properties", "{'k': 1}")], "not valid JSON"),
        ([("properties", "")], "not valid JSON"),
        ([("properties", '{"k": NaN}')], "not valid JSON"),
        ([("properties", "[" * 100_000)], "not valid JSON"),
        ([("properties", "[1]")], "must be a JSON object"),
        ([("properties", "null")], "must be a JSON object"),
        ([("properties", '{"k": 1, "k": 2}')], "the same member twice"),
        ([("properties", '{"a": {"k": 1, "k": 2}}')], "the same member twice"),
        ([("properties", '{"k": 1e400}')], "too large"),
        ([("properties", '{"k": ' + "[" * 64 + "]" * 64 + "}")], "nested too deeply"),
        ([("a\r\nb" * 100, "1"), ("a\r\nb" * 100, "2")], "`a??ba??b"),
    ],
)
def test_a_part_that_cannot_become_a_member_is_refused_at_the_door_too(
    fields: list[tuple[str, str]], text: str
) -> None:
    with pytest.raises(InvalidField, match=text.replace("?", r"\?")):
        reference_body(V1, FILE, fields)
    with pytest.raises(InvalidField) as refused:
        check_fields(V1, fields)
    assert len(str(refused.value)) < 120


def test_properties_of_the_greatest_depth_are_accepted() -> None:
    text = '{"k": ' + "[" * 62 + "]" * 62 + "}"
    assert reference_body(V1, FILE, [("properties", text)])["properties"] == json.loads(text)


@pytest.mark.parametrize("name", ["groupTag", "properties", "username", "x"])
def test_display_picture_accepts_only_a_file(name: str) -> None:
    with pytest.raises(InvalidField, match=f"not with a part `{name}`"):
        check_fields(PICTURE, [(name, "{}")])
    with pytest.raises(InvalidField):
        reference_body(PICTURE, FILE, [(name, "{}")])


def test_the_door_lets_good_fields_pass() -> None:
    check_fields(V1, [("properties", "{}"), ("groupTag", "g")])
    check_fields(PICTURE, [])
