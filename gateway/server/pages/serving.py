"""How every page is sent: what a browser may do with it, and how long it may keep its files."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import RouteNotFound
from gateway.server.connection.context import SERVER
from gateway.server.pages.assets import Assets

ASSET: Final = "{name:[a-z]+[.][0-9a-f]+[.](?:css|js)}"
"""The pattern of the files' names."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Server": SERVER,
}

_FOREVER: Final = "public, max-age=31536000, immutable"


def page_of(body: bytes, status: int = 200) -> web.Response:
    """The answer with a page; browsers ask each time whether it has changed."""
    return web.Response(
        body=body, status=status, content_type="text/html", charset="utf-8",
        headers={**HEADERS, "Cache-Control": "no-cache"},
    )  # fmt: skip


def asset_of(assets: Assets) -> Handler:
    """What answers for the files; a path with `ASSET` leads to it."""

    async def answer(request: web.Request) -> web.Response:
        found = assets.by_name.get(request.match_info["name"])
        if found is None:
            raise RouteNotFound("the page has no such file: load it again")
        return web.Response(
            body=found.body, content_type=found.content_type, charset="utf-8",
            headers={**HEADERS, "Cache-Control": _FOREVER},
        )  # fmt: skip

    return answer
