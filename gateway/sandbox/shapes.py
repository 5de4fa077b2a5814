"""Documents as the API shows them: with links, and in the spelling of its generation. Pure."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from gateway.sandbox.state import APPLICATION_ID, Document

_INNER: Final = ("memberIds", "picture", "threadId", "userId")
"""Members that only the sandbox itself knows; some of them show in links and URLs."""

_AS_THEY_ARE: Final = ("isGuest", "_links", "_embedded")
_OPAQUE: Final = ("properties", "_links")
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_UNDERSCORE = re.compile(r"_([a-z])")


class Generation(Enum):
    """A generation of the API, by the prefix of its paths."""

    V1 = "/v1"
    CURRENT = ""


def spelt(value: Any, generation: Generation) -> Any:  # noqa: ANN401 - any JSON
    """A document in the generation's spelling; what a client put in `properties` stays."""
    if generation is Generation.V1:
        return value
    return _renamed(value, _to_snake)


def understood(value: Any, generation: Generation) -> Any:  # noqa: ANN401 - any JSON
    """What a client wrote, in camelCase."""
    if generation is Generation.V1:
        return value
    return _renamed(value, _to_camel)


def application(document: Document, base: str) -> Document:
    """The application resource."""
    return {**document, "_links": {"self": _link(base, "")}}


def channel(document: Document, base: str, members: list[Document]) -> Document:
    """The channel resource; a direct channel shows its members."""
    shown = _visible(document)
    if document["type"] == "DIRECT":
        shown["members"] = [user(member, base) for member in members]
    path = f"/channels/{document['id']}"
    return shown | {
        "_links": {
            "self": _link(base, path),
            "messages": _link(base, path + "/messages"),
            "application": _link(base, ""),
        }
    }


def thread(document: Document, base: str) -> Document:
    """The thread resource."""
    shown = _visible(document)
    shown.pop("channelId", None)
    path = f"/threads/{document['id']}"
    return shown | {"_links": {"self": _link(base, path), "application": _link(base, "")}}


def user(document: Document, base: str) -> Document:
    """The user resource."""
    path = f"/users/{document['id']}"
    default = f"{base}/v1/picture/{document['name']}"
    return _visible(document) | {
        "displayPictureUrl": document.get("picture") or default,
        "_links": {
            "self": _link(base, path),
            "channels": _link(base, path + "/channels"),
            "displayPicture": _link(base, path + "/display-picture"),
            "application": _link(base, ""),
        },
    }


def message(document: Document, base: str, author: Document | None) -> Document:
    """The message resource; `author` None makes it the system's own."""
    shown = _visible(document)
    links = {
        "self": _link(base, f"/messages/{document['id']}"),
        "channel": _link(base, f"/channels/{document['channelId']}"),
        "application": _link(base, ""),
    }
    if author is not None:
        shown["user"] = {name: v for name, v in user(author, base).items() if name != "_links"}
        links["user"] = _link(base, f"/users/{author['id']}")
    if (number := document.get("threadId")) is not None:
        links["thread"] = _link(base, f"/threads/{number}")
    return shown | {"_links": links}


def job(document: Document, base: str) -> Document:
    """The job resource."""
    path = f"/jobs/{document['id']}"
    return _visible(document) | {
        "_links": {"self": _link(base, path), "application": _link(base, "")}
    }


def _visible(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in _INNER}


def _link(base: str, path: str) -> Mapping[str, str]:
    return {"href": f"{base}/v1/applications/{APPLICATION_ID}{path}"}


def _renamed(value: Any, rename: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return [_renamed(item, rename) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        rename(name): member if name in _OPAQUE else _renamed(member, rename)
        for name, member in value.items()
    }


def _to_snake(name: str) -> str:
    return name if name in _AS_THEY_ARE else _CAPITAL.sub(lambda m: "_" + m[1].lower(), name)


def _to_camel(name: str) -> str:
    return name if name in _AS_THEY_ARE else _UNDERSCORE.sub(lambda m: m[1].upper(), name)
