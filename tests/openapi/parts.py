"""What the operations of the document are made of."""

import copy
from collections.abc import Sequence
from typing import Any, Final

from tests.openapi.words import JSON, ref

ALWAYS: Final = (400, 408, 417, 431, 500, 503)
TOKEN: Final = (401, 403, 429)
UNREAD: Final = (400, 417)
"""What the server of the address for operators answers by itself, in plain text."""

SAYS_SO: Final = ("X-Request-Id",)
PUBLIC: Final = [{"url": "/", "description": "The address that clients use"}]
ADMIN: Final = [
    {
        "url": "http://127.0.0.1:8081",
        "description": "The address for operators (GATEWAY_ADMIN_PORT)",
    }
]
NO_TOKEN: Final[list[JSON]] = []


def headers_of(names: Sequence[str]) -> JSON:
    """The headers of a response, by their names."""
    return {name: ref("headers", name) for name in names}


def faults(*statuses: int) -> JSON:
    """The problems of an operation, by their statuses."""
    return {str(status): ref("responses", f"Problem{status}") for status in sorted(set(statuses))}


def answer(description: str, *headers: str, **content: Any) -> JSON:
    """A response with these headers, and `content` as its JSON."""
    found: JSON = {"description": description, "headers": headers_of((*SAYS_SO, *headers))}
    if content:
        found["content"] = {"application/json": content}
    return found


def named(*names: str) -> list[JSON]:
    """Parameters by their names."""
    return [ref("parameters", name) for name in names]


def faults_at_admin(*statuses: int) -> JSON:
    """The problems of an operation at the address for operators."""
    plain = {str(status): ref("responses", f"Fault{status}") for status in UNREAD}
    return {**faults(500, *statuses), **plain}


def with_head(get: JSON) -> JSON:
    """The operation, and the same for the headers alone."""
    head = copy.deepcopy(get)
    head["operationId"] += "Head"
    head["summary"] += ": the headers alone"
    head.pop("description", None)
    for response in head["responses"].values():
        response.pop("content", None)
    return {"get": get, "head": head}
