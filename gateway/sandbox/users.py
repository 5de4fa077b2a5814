"""Users and their display pictures."""

from aiohttp import web

from gateway.sandbox import hosted, hypermedia, shapes
from gateway.sandbox.call import Call
from gateway.sandbox.failures import client_error
from gateway.sandbox.forms import receive_form
from gateway.sandbox.paging import numbered_page
from gateway.sandbox.state import Document, Table, new_user


async def list_all(call: Call) -> web.Response:
    """`GET /users`, and `HEAD /users?name=`, which says whether there is one of that name."""
    users = call.state.all(Table.USERS)
    if (name := call.request.query.get("name")) is not None:
        users = [user for user in users if user["name"] == name]
        if call.request.method == "HEAD" and not users:
            return web.Response(status=404)
    return numbered_page(call, "users", users, lambda user: shapes.user(user, call.base))


async def create(call: Call) -> web.Response:
    """`POST /users`."""
    user = call.state.insert(Table.USERS, parsed(await call.json_object()))
    return _shown(call, user)


def parsed(body: Document) -> Document:
    """The user of a request or of an import's item. Raises Failure.

    Imports say `guest` where their schema is followed, `isGuest` where their example is.
    """
    name, display_name = body.get("name"), body.get("displayName")
    guest = body.get("isGuest", body.get("guest"))
    properties = body.get("properties", {})
    if not isinstance(name, str) or not isinstance(display_name, str):
        raise client_error("name and displayName are required strings")
    if not isinstance(guest, bool) or not isinstance(properties, dict):
        raise client_error("isGuest is a required boolean, properties an object")
    return new_user(name, display_name, guest=guest) | {"properties": properties}


async def get(call: Call) -> web.Response:
    """`GET /users/{id}`."""
    return _shown(call, call.find(Table.USERS))


async def patch(call: Call) -> web.Response:
    """`PATCH /users/{id}`."""
    user = call.find(Table.USERS)
    changes = await call.json_object()
    names = ("displayName", "isGuest", "properties")
    changed = user | {name: changes[name] for name in names if name in changes}
    call.state.save(Table.USERS, changed)
    return _shown(call, changed)


async def delete(call: Call) -> web.Response:
    """`DELETE /users/{id}`."""
    call.state.delete(Table.USERS, call.find(Table.USERS)["id"])
    return call.application()


async def set_picture(call: Call) -> web.Response:
    """`POST /users/{id}/display-picture`, in both content types; a repetition does no harm."""
    user = call.find(Table.USERS)
    if call.is_form:
        file = hosted.keep(call, (await receive_form(call)).file)
    else:
        file = hosted.external(await call.json_object())
    changed = user | {"picture": file["url"]}
    call.state.save(Table.USERS, changed)
    return _shown(call, changed)


async def stream_picture(call: Call) -> web.Response:
    """`POST /runtime/users/{id}/display-picture`: the runtime SDK's upload."""
    user = call.find(Table.USERS)
    file = hosted.keep(call, (await receive_form(call)).file)
    changed = user | {"picture": file["url"]}
    call.state.save(Table.USERS, changed)
    shown = hypermedia.current_user(changed, call.base)
    call.runtime.publish(hypermedia.topic("users", user["id"], "self"), "user.self.updated", shown)
    return web.json_response(shown)


async def list_channels(call: Call) -> web.Response:
    """`GET /users/{id}/channels`."""
    number = call.find(Table.USERS)["id"]
    channels = [
        channel for channel in call.state.all(Table.CHANNELS) if number in channel["memberIds"]
    ]
    return numbered_page(
        call, "channels", channels, lambda channel: shapes.channel(channel, call.base, [])
    )


def _shown(call: Call, user: Document) -> web.Response:
    return call.answer(shapes.user(user, call.base))
