"""The operations of the API: their paths, and the scopes that they need."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

from gateway.sandbox import channels, hosted, imports, messages, session, users
from gateway.sandbox.call import Call
from gateway.sandbox.failures import Failure
from gateway.sandbox.forms import receive_fields
from gateway.sandbox.tokens import basic_credentials

Handler = Callable[[Call], Awaitable[web.StreamResponse]]

OPEN: Final = "open"
GRANT: Final = "grant"


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and a path (`#`: an id), who may call it, and what it does.

    `scopes` as the specification has them; `open` needs no token, `grant` needs a grant.
    """

    method: str
    pattern: re.Pattern[str]
    scopes: str
    handler: Handler


def _operation(method: str, path: str, scopes: str, handler: Handler) -> Operation:
    return Operation(method, re.compile(path.replace("#", "([0-9]{1,18})")), scopes, handler)


async def _get_application(call: Call) -> web.Response:
    return call.application()


async def _give_token(call: Call) -> web.Response:
    """`POST /oauth/token`, with HTTP Basic or the credentials in the form, in both encodings."""
    if call.is_form:
        fields = await receive_fields(call)
    else:
        body = b"".join([chunk async for chunk in call.chunks()])
        fields = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
    client_id, secret = basic_credentials(call.request.headers.get("Authorization", ""))
    if fields.get("grant_type") != "client_credentials":
        description = f"Unsupported grant type: {fields.get('grant_type')}"
        document = {"error": "unsupported_grant_type", "error_description": description}
        raise Failure(400, document)
    given = call.tokens.give(
        client_id or fields.get("username", fields.get("client_id", "")),
        secret or fields.get("password", fields.get("client_secret", "")),
        fields.get("scope", ""),
    )
    return web.json_response(given)


OPERATIONS: Final = (
    _operation("POST", "/oauth/token", OPEN, _give_token),
    _operation("GET", "/application", "read:application", _get_application),
    _operation("GET", "/channels", "read:channel", channels.list_all),
    _operation("POST", "/channels", "create:channel", channels.create),
    _operation("GET", "/channels/#", "read:channel", channels.get),
    _operation("PATCH", "/channels/#", "read:channel update:channel", channels.patch),
    _operation("DELETE", "/channels/#", "read:channel delete:channel", channels.delete),
    _operation(
        "GET", "/channels/#/members", "read:channel read:channel_membership", channels.list_members
    ),
    _operation(
        "POST",
        "/channels/#/members",
        "read:channel read:user create:channel_membership",
        channels.add_member,
    ),
    _operation(
        "DELETE",
        "/channels/#/members/#",
        "read:channel read:user delete:channel_membership",
        channels.remove_member,
    ),
    _operation(
        "GET", "/channels/#/messages", "read:channel read:message", messages.list_in_channel
    ),
    _operation(
        "POST",
        "/channels/#/messages",
        "read:channel read:user create:message",
        messages.send_to_channel,
    ),
    _operation("GET", "/threads/#", "read:thread", channels.get_thread),
    _operation("GET", "/threads/#/messages", "read:thread read:message", messages.list_in_thread),
    _operation(
        "POST",
        "/threads/#/messages",
        "read:thread read:user create:message",
        messages.send_to_thread,
    ),
    _operation("GET", "/messages", "read:message", messages.list_all),
    _operation("GET", "/messages/#", "read:message", messages.get),
    _operation("PATCH", "/messages/#", "read:message update:message", messages.patch),
    _operation("DELETE", "/messages/#", "read:message delete:message", messages.delete),
    _operation("GET", "/users", "read:user", users.list_all),
    _operation("HEAD", "/users", "read:user", users.list_all),
    _operation("POST", "/users", "create:user", users.create),
    _operation("GET", "/users/#", "read:user", users.get),
    _operation("PATCH", "/users/#", "read:user update:user", users.patch),
    _operation("DELETE", "/users/#", "read:user delete:user", users.delete),
    _operation("GET", "/users/#/channels", "read:user read:channels", users.list_channels),
    _operation("GET", "/users/#/messages", "read:user read:channels", messages.list_of_user),
    _operation("POST", "/users/#/display-picture", "read:user update:user", users.set_picture),
    _operation("POST", "/imports/users", "create:user", imports.import_users),
    _operation("POST", "/imports/channels", "create:channel", imports.import_channels),
    _operation(
        "POST",
        "/imports/channels/#/members",
        "create:channel_membership",
        imports.import_members,
    ),
    _operation("POST", "/imports/messages", "create:message", imports.import_messages),
    _operation("GET", "/jobs", "read:job", imports.list_jobs),
    _operation("GET", "/jobs/#", "read:job", imports.get_job),
    _operation("GET", "/files/#/[^/]+", OPEN, hosted.serve),
    _operation("HEAD", "/files/#/[^/]+", OPEN, hosted.serve),
    # ChatKitty publishes no paths for the streams of its runtime; these are the sandbox's choice.
    _operation("POST", "/runtime/channels/#/messages", GRANT, messages.stream_to_channel),
    _operation("POST", "/runtime/threads/#/messages", GRANT, messages.stream_to_thread),
    _operation("POST", "/runtime/users/#/display-picture", GRANT, users.stream_picture),
    _operation("GET", "/rtm/websocket", OPEN, session.connect),
    _operation("GET", "/stompx/websocket", OPEN, session.connect),
)
