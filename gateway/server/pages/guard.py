"""Who may ask for what is behind the operator's page.

The token comes in a header, never in a cookie, so no other site's page can make a browser send it.
Two more checks do not depend on that: a name that an attacker points at this address (DNS
rebinding) is not the admin port's own, and a browser says if another site asks for an action.
"""

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import SecretStr

from gateway.auth.bearer import bearer_token
from gateway.errors import CrossSiteRequest, InvalidToken, RouteNotFound, WrongHost
from gateway.server.connection.context import REQUEST_ID, request_id_of
from gateway.server.middleware import answer_errors
from gateway.server.pages.serving import HEADERS
from gateway.settings import Settings
from gateway.telemetry import bind_ids, clear_ids, get_logger

log = get_logger(__name__)

OFF: Final = "the operator's page is off: set GATEWAY_ADMIN_TOKEN to turn it on"


def is_own_host(host: str, settings: Settings) -> bool:
    """Whether a `Host` names the admin port: by an address, or by a name of this machine.

    Only a name can be pointed at another address, so every address will do.
    """
    name = _name(host).lower().removesuffix(".")
    own = {settings.host.lower(), socket.gethostname().lower()}
    if name == "localhost" or name.endswith(".localhost") or name in own:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def check_host(host: str, settings: Settings) -> None:
    """Raises WrongHost for a `Host` that is not the admin port's own."""
    if not is_own_host(host, settings):
        raise WrongHost(
            "open the operator's page by an address of this machine, localhost or its own name:"
            " another name could be an attacker's"
        )


def check_token(authorizations: Sequence[str], token: SecretStr) -> None:
    """Raises AuthenticationRequired, MalformedAuthorization, InvalidToken."""
    given = bearer_token(authorizations)
    if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
        raise InvalidToken("this is not GATEWAY_ADMIN_TOKEN")


def check_site(headers: Mapping[str, str]) -> None:
    """Raises CrossSiteRequest if a browser says that another site asks."""
    site = headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none"):
        raise CrossSiteRequest(f"the request comes from another site ({site})")


def public(settings: Settings, handler: Handler) -> Handler:
    """A handler for everyone who can reach the admin port; it has the headers of the page."""

    async def answer(request: web.Request) -> web.StreamResponse:
        check_host(request.host, settings)
        return await handler(request)

    return _answering(answer)


def guarded(settings: Settings, handler: Handler, *, acts: bool = False) -> Handler:
    """A handler for those who have the token; `acts`: it does more than read."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if settings.admin_token is None:
            raise RouteNotFound(OFF)
        check_host(request.host, settings)
        if acts:
            check_site(request.headers)
        check_token(request.headers.getall("Authorization", []), settings.admin_token)
        return await handler(request)

    return _answering(answer)


def _answering(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        clear_ids()
        request[REQUEST_ID] = request_id_of(request.headers)
        bind_ids(request_id=request[REQUEST_ID])
        response = await answer_errors(request, handler)
        if response.status in (401, 403, 421):
            log.warning("admin.refused", status=response.status, client=request.remote)
        response.headers.update(HEADERS)
        response.headers["X-Request-Id"] = request[REQUEST_ID]
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


def _name(host: str) -> str:
    """The host without its port, and an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
