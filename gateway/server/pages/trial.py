"""The page to try uploads with, at the address for clients: on if `GATEWAY_TRY_PAGE` is true.

Anyone may load it, and it holds no secret: its token comes behind the `#` of a link, which a
browser sends to no server. Its requests are those of any client, and need that token.
"""

import os
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import MalformedRequest
from gateway.server.pages import assets
from gateway.server.pages.serving import ASSET, asset_of, page_of
from gateway.server.services import SERVICES

PREFIX: Final = "/gateway/try/"
PAGES: Final = ("try.html",)
LOADED: Final = ("page.css", "dom.js", "upload.js", "wire.js", "dialects.js", "curl.js", "try.js")

_PROCESS: Final = "X-Gateway-Process"


def trial_paths() -> Mapping[str, Handler]:
    """The paths of the page, and what answers each."""
    loaded = assets.load(PREFIX, PAGES, LOADED)

    async def show(_: web.Request) -> web.Response:
        return page_of(loaded.pages["try.html"])

    return {
        PREFIX.rstrip("/"): show,
        PREFIX + "route": describe_route,
        PREFIX + ASSET: asset_of(loaded),
    }


async def describe_route(request: web.Request) -> web.Response:
    """`GET /gateway/try/route?path=…`: how an upload to that path would be delivered.

    The process that `leave` names closes the connection, so that its client may reach another one.
    Raises MalformedRequest without a path, and RouteNotFound and MalformedTarget as an upload.
    """
    if (path := request.query.get("path")) is None:
        raise MalformedRequest("name the `path` of an upload in the query")
    route = request.app[SERVICES].route_of(path)
    members = {"delivery": route.delivery, "maxFileSize": route.max_file_size}
    response = web.json_response(members, headers={"Cache-Control": "no-store"})
    if request.query.get("leave") == _own_name():
        response.force_close()
    return response


async def name_process(_: web.Request, response: web.StreamResponse) -> None:
    """Before an answer's head is sent: say which process answers."""
    response.headers[_PROCESS] = _own_name()


def _own_name() -> str:
    return str(os.getpid())
