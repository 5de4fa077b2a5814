"""The URLs of the operator's page."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.server.metrics import SHARED
from gateway.server.pages import assets
from gateway.server.pages.examining import Examiner
from gateway.server.pages.guard import guarded, public
from gateway.server.pages.rates import History
from gateway.server.pages.serving import ASSET, asset_of, page_of
from gateway.server.pages.status import status
from gateway.server.pages.uploads import Uploads
from gateway.server.services import at_work
from gateway.settings import Settings

PREFIX: Final = "/gateway/admin/"

PAGES: Final = ("page.html", "off.html")
LOADED: Final = ("page.css", "dom.js", "lines.js", "upload.js", "page.js")


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
    loaded = assets.load(PREFIX, PAGES, LOADED)
    name, status_code = (
        ("page.html", 200) if settings.admin_token is not None else ("off.html", 404)
    )

    async def show(_: web.Request) -> web.Response:
        return page_of(loaded.pages[name], status_code)

    admin.router.add_get("/", public(settings, show))
    admin.router.add_get(PREFIX + ASSET, public(settings, asset_of(loaded)))
