"""Messages of channels and threads: listed, sent in both content types, changed, deleted."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.sandbox import channels, hosted, shapes
from gateway.sandbox.call import Call
from gateway.sandbox.failures import client_error
from gateway.sandbox.forms import receive_form
from gateway.sandbox.paging import message_page
from gateway.sandbox.parsing import parsed
from gateway.sandbox.state import Document, State, Table, now


async def list_in_channel(call: Call) -> web.Response:
    """`GET /channels/{id}/messages`."""
    return _page(call, f"channel/{call.find(Table.CHANNELS)['id']}")


async def list_in_thread(call: Call) -> web.Response:
    """`GET /threads/{id}/messages`."""
    return _page(call, f"thread/{call.find(Table.THREADS)['id']}")


async def list_all(call: Call) -> web.Response:
    """`GET /messages`."""
    documents = list(reversed(call.state.all(Table.MESSAGES)))
    return message_page(call, documents, lambda document: _shown(call, document))


async def list_of_user(call: Call) -> web.Response:
    """`GET /users/{id}/messages`."""
    number = call.find(Table.USERS)["id"]
    documents = [
        message for message in call.state.all(Table.MESSAGES) if message.get("userId") == number
    ]
    return message_page(call, documents[::-1], lambda document: _shown(call, document))


async def send_to_channel(call: Call) -> web.Response:
    """`POST /channels/{id}/messages`."""
    return await _send(call, _in_channel(call))


async def send_to_thread(call: Call) -> web.Response:
    """`POST /threads/{id}/messages`."""
    return await _send(call, _in_thread(call))


async def stream_to_channel(call: Call) -> web.Response:
    """`POST /runtime/channels/{id}/messages`: the runtime SDK's upload, its fields in JSON."""
    return await _send(call, _in_channel(call), runtime=True)


async def stream_to_thread(call: Call) -> web.Response:
    """`POST /runtime/threads/{id}/messages`."""
    return await _send(call, _in_thread(call), runtime=True)


async def get(call: Call) -> web.Response:
    """`GET /messages/{id}`."""
    return call.answer(_shown(call, call.find(Table.MESSAGES)))


async def patch(call: Call) -> web.Response:
    """`PATCH /messages/{id}`."""
    message = call.find(Table.MESSAGES)
    changes = await call.json_object()
    kept = {name: changes[name] for name in ("body", "properties") if name in changes}
    changed = message | kept | {"lastEditedTime": now()}
    call.state.save(Table.MESSAGES, changed)
    call.runtime.message_changed("updated", changed, call.base)
    return call.answer(_shown(call, changed))


async def delete(call: Call) -> web.Response:
    """`DELETE /messages/{id}`: answers with the thread that the message stood in."""
    message = call.find(Table.MESSAGES)
    call.state.delete(Table.MESSAGES, message["id"])
    call.runtime.message_changed("deleted", message, call.base)
    thread = call.state.get(Table.THREADS, message.get("threadId", 0)) or {
        "id": message["channelId"],
        "type": "MAIN",
        "createdTime": message["createdTime"],
        "properties": {},
    }
    return call.answer(shapes.thread(thread, call.base))


def _page(call: Call, place: str) -> web.Response:
    documents = call.state.messages_of(place)
    if (username := call.request.query.get("username")) is not None:
        user = call.state.user_named(username)
        number = user["id"] if user is not None else None
        documents = [message for message in documents if message.get("userId") == number]
    return message_page(call, documents, lambda document: _shown(call, document))


def _in_channel(call: Call) -> Document:
    return {"channelId": call.find(Table.CHANNELS)["id"], "nestedLevel": 0}


def _in_thread(call: Call) -> Document:
    thread = call.find(Table.THREADS)
    return {"channelId": thread["channelId"], "threadId": thread["id"], "nestedLevel": 1}


async def _send(call: Call, place: Document, *, runtime: bool = False) -> web.Response:
    if call.is_form:
        content = await _from_form(call, runtime=runtime)
    else:
        content = from_json(call.state, await call.json_object())
    message = call.state.insert(Table.MESSAGES, place | content)
    call.runtime.message_changed("created", message, call.base)
    if runtime:
        return web.json_response(call.runtime.shown_message(message, call.base))
    return call.answer(_shown(call, message))


async def _from_form(call: Call, *, runtime: bool) -> Document:
    form = await receive_form(call)
    fields = form.fields
    group_tag = fields.get("groupTag", fields.get("group_tag"))
    if runtime and group_tag is not None:
        group_tag = _json_text(group_tag)
    content: Document = {"properties": form.properties()}
    if group_tag is not None:
        content["groupTag"] = group_tag
    author = _granted(call) if runtime else _named(fields)
    content |= _authored(call.state, "FILE", author)
    return content | {"file": hosted.keep(call, form.file)}


def _granted(call: Call) -> Document | None:
    """The user to whom the grant of a runtime upload was given."""
    user = call.runtime.owner_of(call.request.headers.get("Grant", ""))
    return {"id": user["id"]} if user is not None else None


def _named(fields: Mapping[str, str]) -> Document | None:
    return {"username": fields["username"]} if "username" in fields else None


def from_json(state: State, body: Document) -> Document:
    """The content of a message that is sent as JSON. Raises Failure."""
    kind = body.get("type")
    if kind == "FILE":
        content: Document = {"file": {"type": "EXTERNAL", **hosted.external(body.get("file"))}}
    elif kind == "TEXT" and isinstance(body.get("body"), str):
        content = {"body": body["body"]}
    else:
        raise client_error("type is FILE with a file, or TEXT with a body")
    properties = body.get("properties", {})
    if not isinstance(properties, dict):
        raise client_error("properties is not an object")
    content["properties"] = properties
    if (group_tag := body.get("groupTag")) is not None:
        if not isinstance(group_tag, str):
            raise client_error("groupTag is not a string")
        content["groupTag"] = group_tag
    return content | _authored(state, str(kind), body.get("user"))


def _authored(state: State, kind: str, reference: Any) -> Document:  # noqa: ANN401 - any JSON
    """The message's type and author: without one it is the system's."""
    if reference is None:
        return {"type": f"SYSTEM_{kind}"}
    if not isinstance(reference, dict):
        raise client_error("the user is not an object")
    return {"type": kind, "userId": channels.member(state, reference)["id"]}


def _json_text(text: str) -> str:
    value = parsed(text, "a part of a stream")
    return value if isinstance(value, str) else text


def _shown(call: Call, message: Document) -> Document:
    author = call.state.get(Table.USERS, message.get("userId", 0))
    return shapes.message(message, call.base, author)
