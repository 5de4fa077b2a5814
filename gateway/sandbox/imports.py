"""Imports: a JSON array in a multipart body becomes resources, and a job that reports it."""

from collections.abc import Callable

from aiohttp import web

from gateway.sandbox import channels, hosted, shapes, users
from gateway.sandbox.call import Call
from gateway.sandbox.failures import client_error
from gateway.sandbox.forms import receive_form
from gateway.sandbox.paging import numbered_page
from gateway.sandbox.parsing import parsed
from gateway.sandbox.state import Document, Table, now

_MESSAGE_TYPES = ("TEXT", "SYSTEM_TEXT")
_KEY = "idempotencyKey"


async def import_users(call: Call) -> web.Response:
    """`POST /imports/users`."""

    def user(item: Document) -> Document:
        picture = item.get("displayPicture")
        url = {"picture": hosted.external(picture)["url"]} if picture is not None else {}
        return users.parsed(item) | url

    return await _import(call, "USER_IMPORT", Table.USERS, user)


async def import_channels(call: Call) -> web.Response:
    """`POST /imports/channels`."""
    return await _import(
        call, "CHANNEL_IMPORT", Table.CHANNELS, lambda item: channels.parsed(call.state, item)
    )


async def import_members(call: Call) -> web.Response:
    """`POST /imports/channels/{id}/members`."""
    channel = call.find(Table.CHANNELS)
    added = [channels.member(call.state, item)["id"] for item in await _items(call)]
    changed = channel | {"memberIds": sorted({*channel["memberIds"], *added})}
    call.state.save(Table.CHANNELS, changed)
    return _job(call, "CHANNEL_MEMBERS_IMPORT")


async def import_messages(call: Call) -> web.Response:
    """`POST /imports/messages`: text only; messages with files cannot be imported."""

    def message(item: Document) -> Document:
        channel, body = item.get("channelId"), item.get("body")
        if item.get("type") not in _MESSAGE_TYPES or not isinstance(body, str):
            raise client_error(f"type is one of {_MESSAGE_TYPES}, body a required string")
        if not isinstance(channel, int) or call.state.get(Table.CHANNELS, channel) is None:
            raise client_error("the channel does not exist")
        author = {}
        if item["type"] == "TEXT":
            author = {"userId": channels.member(call.state, item.get("user"))["id"]}
        properties = item.get("properties", {})
        place = {"channelId": channel, "nestedLevel": 0, "properties": properties}
        return place | {"type": item["type"], "body": body} | author

    return await _import(call, "MESSAGE_IMPORT", Table.MESSAGES, message)


async def list_jobs(call: Call) -> web.Response:
    """`GET /jobs`."""
    jobs = call.state.all(Table.JOBS)[::-1]
    return numbered_page(call, "jobs", jobs, lambda job: shapes.job(job, call.base))


async def get_job(call: Call) -> web.Response:
    """`GET /jobs/{id}`."""
    return call.answer(shapes.job(call.find(Table.JOBS), call.base))


async def _import(
    call: Call, kind: str, table: Table, parse: Callable[[Document], Document]
) -> web.Response:
    """All of the items or none; an item whose idempotency key is known is passed over."""
    items = await _items(call)
    if not all(isinstance(item.get(_KEY, ""), str) for item in items):
        raise client_error(f"{_KEY} is a string")
    known = {document.get(_KEY) for document in call.state.all(table)}
    found = [parse(item) | ({_KEY: item[_KEY]} if _KEY in item else {}) for item in items]
    for document in found:
        if document.get(_KEY) is None or document[_KEY] not in known:
            call.state.insert(table, document)
    return _job(call, kind)


async def _items(call: Call) -> list[Document]:
    """The JSON array of objects in the call's file. Raises Failure for any other file."""
    if not call.is_form:
        raise client_error("an import is a multipart form")
    form = await receive_form(call)
    try:
        items = parsed(form.file.path.read_bytes(), "the file")
    finally:
        form.file.path.unlink()
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise client_error("the file is not a JSON array of objects")
    return [shapes.understood(item, call.generation) for item in items]


def _job(call: Call, kind: str) -> web.Response:
    """The job as it is when it is accepted; later requests find it finished."""
    job = call.state.insert(Table.JOBS, {"type": kind, "state": "FINISHED", "endedTime": now()})
    accepted = {name: value for name, value in job.items() if name != "endedTime"}
    return call.answer(shapes.job(accepted | {"state": "PENDING"}, call.base), status=202)
