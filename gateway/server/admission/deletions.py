"""Removes the hosted file of a message or picture that is deleted or replaced via the gateway.

Only ChatKitty knows which file that is: it is asked before the request is sent, and the order to
remove the file is made durable before, too. Workers find out whether the request succeeded.
"""

from typing import Final, NamedTuple

from aiohttp import web

from gateway import crash
from gateway.errors import StoreUnavailable
from gateway.records.ordering import Doomed, doomed_by, order_for
from gateway.records.removals import Order, Removals
from gateway.server.services import Services
from gateway.settings import Settings
from gateway.telemetry import get_logger
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Cause
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.paths import api_path, matched

log = get_logger(__name__)

_GONE: Final = 404


class Placed(NamedTuple):
    """An order that is durable."""

    id: str
    order: Order


def takes_file(settings: Settings, method: str, target: str) -> Doomed | None:
    """The resource that the request deletes or replaces, if its file is to be removed. Pure."""
    if not settings.delete_files:
        return None
    return doomed_by(method, matched(api_path(target, str(settings.upstream_url))))


async def order_removal(request: web.Request, services: Services, target: str) -> Placed | None:
    """Place an order to remove the file that the request deletes or replaces, if it does.

    Nothing may be sent before the order is durable. Raises UpstreamError if ChatKitty cannot be
    asked which file it is, StoreUnavailable.
    """
    backends = services.backends
    authorizations = request.headers.getall("Authorization", [])
    doomed = takes_file(services.settings, request.method, target)
    if doomed is None or len(authorizations) != 1:
        return None
    # By the caller's own token: who may not read it learns and orders nothing.
    caller = CallersOwn(authorizations[0])
    order = await order_for(
        backends.chatkitty, backends.ring, doomed, caller, backends.sealed(authorizations[0])
    )
    if order is None:
        return None
    placed = Placed(await Removals(backends.store).place(order), order)
    crash.point(crash.Point.REMOVAL_ORDERED)
    return placed


async def hand_over(services: Services, placed: Placed | None, status: int) -> None:
    """Have workers carry the order out, unless ChatKitty's answer says that nothing was done."""
    if placed is None:
        return
    crash.point(crash.Point.REMOVAL_ACTED)
    backends = services.backends
    removals = Removals(backends.store)
    try:
        if 400 <= status < 500 and status != _GONE:
            await removals.drop(placed.id)
            return
        if placed.order.cause is Cause.PICTURE:
            # The body may have taken so long that a worker found the old picture and gave up.
            await removals.place(placed.order, placed.id)
    except StoreUnavailable as error:  # workers will see how it stands
        log.warning("removal.order_not_updated", error=repr(error))
    backends.queue.send(Step.REMOVE, placed.id)
