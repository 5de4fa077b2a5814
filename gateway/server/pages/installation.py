"""The URLs of the operator's page."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import RouteNotFound
from gateway.server.metrics import SHARED
from gateway.server.pages import assets
from gateway.server.pages.assets import PREFIX
from gateway.server.pages.examining import Examiner
from gateway.server.pages.guard import guarded, public
from gateway.server.pages.rates import History
from gateway.server.pages.status import status
from gateway.server.pages.uploads import Uploads
from gateway.server.services import at_work
from gateway.settings import Settings

_FOREVER: Final = "public, max-age=31536000, immutable"


def install(admin: web.Application, clients: web.Application, settings: Settings) -> None:
    """Add the page to the application for operators; `clients` is the one that clients reach."""
    _install_page(admin, settings)
    uploads = Uploads(clients)
    examiner = Examiner(settings)
    history = History(lambda: clients[SHARED].read())  # noqa: PLW0108 - it is there later

    async def tell_status(_: web.Request) -> web.Response:
        return web.json_response(await status(clients))

    async def tell_rates(_: web.Request) -> web.Response:
        return web.json_response(history.lines())

    async def examine(_: web.Request) -> web.Response:
        return web.json_response(await examiner.examine())

    async def keep_history(_: web.Application) -> AsyncIterator[None]:
        async with at_work(history.keep):
            yield

    reads: Mapping[str, Handler] = {
        "status": tell_status,
        "rates": tell_rates,
        "uploads": uploads.list,
        "uploads/{id}": uploads.show,
        "matches": uploads.match,
    }
    acts: Mapping[str, Handler] = {"actions": uploads.act, "doctor": examine}
    for path, handler in reads.items():
        admin.router.add_get(PREFIX + path, guarded(settings, handler), allow_head=False)
    for path, handler in acts.items():
        admin.router.add_post(PREFIX + path, guarded(settings, handler, acts=True))
    if settings.admin_token is not None:
        admin.cleanup_ctx.append(keep_history)


def _install_page(admin: web.Application, settings: Settings) -> None:
    loaded = assets.load()
    is_on = settings.admin_token is not None

    async def page(_: web.Request) -> web.Response:
        body, status_code = (loaded.page, 200) if is_on else (loaded.off, 404)
        headers = {"Cache-Control": "no-cache"}
        return web.Response(
            body=body, status=status_code, content_type="text/html", charset="utf-8",
            headers=headers,
        )  # fmt: skip

    async def asset(request: web.Request) -> web.Response:
        found = loaded.by_name.get(request.match_info["name"])
        if found is None:
            raise RouteNotFound("the page has no such file: load it again")
        return web.Response(
            body=found.body, content_type=found.content_type, charset="utf-8",
            headers={"Cache-Control": _FOREVER},
        )  # fmt: skip

    admin.router.add_get("/", public(settings, page))
    admin.router.add_get(PREFIX + "{name:[a-z]+[.][0-9a-f]+[.](?:css|js)}", public(settings, asset))
