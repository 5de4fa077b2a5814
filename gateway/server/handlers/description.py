"""The OpenAPI description of the gateway's own resources."""

from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import web

import gateway

_NAME: Final = "openapi.json"


async def get_description(_: web.Request) -> web.Response:
    """`GET /gateway/openapi.json`: the same for every caller, so it needs no token."""
    return web.Response(body=_description(), content_type="application/json", charset="utf-8")


@cache
def _description() -> bytes:
    return files(gateway).joinpath(_NAME).read_bytes()
