"""Which part of a form becomes which member of ChatKitty's JSON reference to a file. Pure.

Source: ChatKitty OpenAPI 2.41.9, `CreateFileMessageResource` and `CreateExternalFileProperties`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isinf
from typing import Final

from gateway.errors import AnotherUser, InvalidField
from gateway.upstream.endpoints import Endpoint, EndpointKind, Generation

_GROUP_TAG: Final = "groupTag"
_CONTENT_TYPE: Final = "contentType"
_SNAKE_CASE: Final = {_GROUP_TAG: "group_tag", _CONTENT_TYPE: "content_type"}
_CANONICAL: Final = {"group_tag": _GROUP_TAG}

_USERNAME: Final = "username"
_DOCUMENTED: Final = frozenset({_GROUP_TAG, "properties", _USERNAME})

_RESERVED: Final = frozenset({"file", "type", "user"})
"""Members that the reference sets itself; a user is named by a part `username`."""

_DEEPEST: Final = 64
"""Levels that `properties` may be nested: far fewer than any JSON reader can read."""


@dataclass(frozen=True, slots=True)
class ExternalFile:
    """A file that ChatKitty does not host; `size` in bytes."""

    url: str
    name: str
    content_type: str
    size: int


def reference_body(
    endpoint: Endpoint, file: ExternalFile, fields: Sequence[tuple[str, str]]
) -> dict[str, object]:
    """The JSON body that registers `file` at a dual endpoint, in the endpoint's spelling.

    `fields` are the names and texts of the form's other parts. Raises InvalidField if one
    cannot become a member.
    """
    members = _members(endpoint, fields)
    described = {
        "url": file.url,
        "name": file.name,
        _spelt(_CONTENT_TYPE, endpoint): file.content_type,
        "size": file.size,
    }
    if endpoint.kind is EndpointKind.DISPLAY_PICTURE:
        return described
    return {"type": "FILE", "file": described, **members}


def is_documented(name: str) -> bool:
    """Whether ChatKitty documents a part of that name next to a file."""
    return _CANONICAL.get(name, name) in _DOCUMENTED


def check_fields(endpoint: Endpoint, fields: Sequence[tuple[str, str]]) -> None:
    """Raise InvalidField for fields that `reference_body` would refuse."""
    _members(endpoint, fields)


def fields_of_user(
    endpoint: Endpoint, fields: Sequence[tuple[str, str]], username: str
) -> tuple[tuple[str, str], ...]:
    """`fields` with exactly the user of that name as their author.

    A message without an author would be the system's, so the name is added if it is missing.
    Raises InvalidField as `check_fields` does, and for parts that ChatKitty does not document,
    since any of them might name a user. Raises AnotherUser if they name another user.
    """
    members = _members(endpoint, fields)
    if endpoint.kind is EndpointKind.DISPLAY_PICTURE:
        return tuple(fields)
    if unknown := [name for name, _ in fields if not is_documented(name)]:
        raise InvalidField(
            f"a token that may act only as one user must not send the part {_shown(unknown[0])}"
        )
    author = {_USERNAME: username}
    if members.get("user", author) != author:
        raise AnotherUser("the part `username` must be left out, or name the token's user")
    # Quoted, so that a name that begins with a quote is not read as a quoted one.
    kept = [(name, text) for name, text in fields if name != _USERNAME]
    return (*kept, (_USERNAME, json.dumps(username)))


def _members(endpoint: Endpoint, fields: Iterable[tuple[str, str]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, text in fields:
        canonical = _CANONICAL.get(name, name)
        _refuse_misplaced(endpoint, canonical)
        member = "user" if canonical == _USERNAME else _spelt(canonical, endpoint)
        if member in members:
            raise InvalidField(f"the part {_shown(canonical)} was sent more than once")
        members[member] = _value(canonical, text)
    return members


def _refuse_misplaced(endpoint: Endpoint, name: str) -> None:
    if endpoint.kind is EndpointKind.DISPLAY_PICTURE:
        raise InvalidField(f"a display picture is sent alone, not with a part {_shown(name)}")
    if not name:
        raise InvalidField("a part next to the file has no name")
    if name in _RESERVED:
        raise InvalidField(f"a part next to the file must not be named {_shown(name)}")


def _value(name: str, text: str) -> object:
    plain = _unquoted(text)
    match name:
        case "username":
            return {_USERNAME: plain}
        case "properties":
            return _properties(plain)
    return plain


def _unquoted(text: str) -> str:
    """The value of a JSON string literal, or any other text as it is.

    ChatKitty's runtime SDK sends `JSON.stringify(value)`, its platform API accepts the raw text.
    """
    if not text.startswith('"'):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _properties(text: str) -> dict[str, object]:
    try:
        properties = json.loads(
            text, object_pairs_hook=_distinct, parse_float=_finite, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise InvalidField("the part `properties` is not valid JSON") from None
    if not isinstance(properties, dict):
        raise InvalidField("the part `properties` must be a JSON object")
    _refuse_depth(properties)
    return properties


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidField("the part `properties` has the same member twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise InvalidField("the part `properties` has a number that is too large")
    return number


def _refuse_constant(text: str) -> object:
    """Refuse NaN and Infinity, which Python reads but JSON does not have."""
    raise ValueError(text)


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise InvalidField("the part `properties` is nested too deeply")


def _children(node: object) -> Iterable[object]:
    match node:
        case dict():
            return node.values()
        case list():
            return node
    return ()


def _spelt(name: str, endpoint: Endpoint) -> str:
    if endpoint.generation is Generation.CURRENT:
        return _SNAKE_CASE.get(name, name)
    return name


def _shown(name: str) -> str:
    """A name that the client chose, shortened for an error's text."""
    return f"`{''.join(char if char.isprintable() else '?' for char in name[:64])}`"
