"""Pages of resources: numbered ones, and those of messages, which have cursors."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway.sandbox.call import Call
from gateway.sandbox.failures import client_error
from gateway.sandbox.state import Document

_DEFAULT_SIZE = 25
_LARGEST_SIZE = 1000
_MOST_DIGITS = 19

Shape = Callable[[Document], Document]


def numbered_page(call: Call, name: str, documents: list[Document], shape: Shape) -> web.Response:
    """A page by `page` and `size`; an empty one has no `_embedded`."""
    number, size = _number(call, "page", 0), _size(call)
    total = -(-len(documents) // size)
    shown = [shape(document) for document in documents[number * size : (number + 1) * size]]
    path = call.request.path

    def link(page: int) -> dict[str, str]:
        return {"href": f"{call.base}{path}?page={page}&size={size}"}

    links = {"first": link(0), "self": link(number), "last": link(max(0, total - 1))}
    if number > 0:
        links["prev"] = link(number - 1)
    if number + 1 < total:
        links["next"] = link(number + 1)
    page = {
        "size": size,
        "totalElements": len(documents),
        "totalPages": total,
        "number": number,
    }
    return call.answer(_embedded(name, shown) | {"_links": links, "page": page})


def message_page(call: Call, documents: list[Document], shape: Shape) -> web.Response:
    """A page of messages, newest first: from the cursor `next`, or around the cursor `start`."""
    size = _size(call)
    relation = call.request.query.get("relation", "SELF")
    if relation not in ("SELF", "PREVIOUS", "NEXT"):
        raise client_error("relation is one of SELF, PREVIOUS, NEXT")
    older_than = _number(call, "next", 0)
    start = _number(call, "start", 0)
    if older_than:
        documents = [document for document in documents if document["id"] < older_than]
    elif start and relation == "PREVIOUS":
        documents = [document for document in documents if document["id"] > start][-size:]
    elif start:
        least = start - 1 if relation == "NEXT" else start
        documents = [document for document in documents if document["id"] <= least]
    shown, rest = documents[:size], documents[size:]
    page: dict[str, Any] = {"size": size}
    links = {"self": {"href": f"{call.base}{call.request.path_qs}"}}
    if shown:
        page["start"] = str(shown[0]["id"])
    if rest:
        page["next"] = str(shown[-1]["id"])
        path = call.request.path
        links["next"] = {"href": f"{call.base}{path}?size={size}&next={page['next']}"}
    members = _embedded("messages", [shape(document) for document in shown])
    return call.answer(members | {"_links": links, "page": page})


def _embedded(name: str, shown: list[Document]) -> Document:
    return {"_embedded": {name: shown}} if shown else {}


def _size(call: Call) -> int:
    return max(1, min(_LARGEST_SIZE, _number(call, "size", _DEFAULT_SIZE)))


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise client_error(f"{name} is not a number")
    return int(text)
