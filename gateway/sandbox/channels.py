"""Channels, their members, and threads."""

from typing import Any

from aiohttp import web

from gateway.sandbox import shapes
from gateway.sandbox.call import Call
from gateway.sandbox.failures import client_error
from gateway.sandbox.paging import numbered_page
from gateway.sandbox.state import Document, State, Table

_TYPES = ("PUBLIC", "PRIVATE", "DIRECT")


async def list_all(call: Call) -> web.Response:
    """`GET /channels`."""
    channels = call.state.all(Table.CHANNELS)
    if (kind := call.request.query.get("type")) is not None:
        channels = [channel for channel in channels if channel["type"] == kind]
    return numbered_page(call, "channels", channels, lambda channel: _resource(call, channel))


async def create(call: Call) -> web.Response:
    """`POST /channels`."""
    channel = call.state.insert(Table.CHANNELS, parsed(call.state, await call.json_object()))
    return call.answer(_resource(call, channel))


def parsed(state: State, body: Document) -> Document:
    """The channel of a request or of an import's item. Raises Failure."""
    kind, properties = body.get("type"), body.get("properties", {})
    members = body.get("members", [])
    if kind not in _TYPES or not isinstance(properties, dict) or not isinstance(members, list):
        raise client_error(f"type is one of {_TYPES}, properties an object, members a list")
    channel: Document = {"type": kind, "properties": properties}
    if kind != "DIRECT":
        name = body.get("name", f"channel-{len(state.all(Table.CHANNELS)) + 1}")
        channel |= {"name": str(name), "displayName": str(body.get("displayName", name))}
    return channel | {"memberIds": [member(state, each)["id"] for each in members]}


def member(state: State, reference: Any) -> Document:  # noqa: ANN401 - any JSON
    """The user that a reference names, by id or by name. Raises Failure."""
    found = None
    if isinstance(reference, dict) and isinstance(reference.get("id"), int):
        found = state.get(Table.USERS, reference["id"])
    elif isinstance(reference, dict) and isinstance(reference.get("username"), str):
        found = state.user_named(reference["username"])
    elif isinstance(reference, str):
        found = state.user_named(reference)
    if found is None:
        raise client_error("the user does not exist")
    return found


async def get(call: Call) -> web.Response:
    """`GET /channels/{id}`."""
    return call.answer(_resource(call, call.find(Table.CHANNELS)))


async def patch(call: Call) -> web.Response:
    """`PATCH /channels/{id}`."""
    channel = call.find(Table.CHANNELS)
    changes = await call.json_object()
    names = ("displayName", "properties")
    changed = channel | {name: changes[name] for name in names if name in changes}
    call.state.save(Table.CHANNELS, changed)
    return call.answer(_resource(call, changed))


async def delete(call: Call) -> web.Response:
    """`DELETE /channels/{id}`."""
    call.state.delete(Table.CHANNELS, call.find(Table.CHANNELS)["id"])
    return call.application()


async def list_members(call: Call) -> web.Response:
    """`GET /channels/{id}/members`."""
    members = _members(call, call.find(Table.CHANNELS))
    return numbered_page(call, "users", members, lambda user: shapes.user(user, call.base))


async def add_member(call: Call) -> web.Response:
    """`POST /channels/{id}/members`."""
    channel = call.find(Table.CHANNELS)
    added = member(call.state, await call.json_object())["id"]
    changed = channel | {"memberIds": sorted({*channel["memberIds"], added})}
    call.state.save(Table.CHANNELS, changed)
    return call.answer(_resource(call, changed))


async def remove_member(call: Call) -> web.Response:
    """`DELETE /channels/{id}/members/{user_id}`."""
    channel, removed = call.find(Table.CHANNELS), call.find(Table.USERS, 1)["id"]
    kept = [number for number in channel["memberIds"] if number != removed]
    changed = channel | {"memberIds": kept}
    call.state.save(Table.CHANNELS, changed)
    return call.answer(_resource(call, changed))


async def get_thread(call: Call) -> web.Response:
    """`GET /threads/{id}`."""
    return call.answer(shapes.thread(call.find(Table.THREADS), call.base))


def _members(call: Call, channel: Document) -> list[Document]:
    found = (call.state.get(Table.USERS, number) for number in channel["memberIds"])
    return [user for user in found if user is not None]


def _resource(call: Call, channel: Document) -> Document:
    return shapes.channel(channel, call.base, _members(call, channel))
