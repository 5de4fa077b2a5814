"""A message that is deleted through the gateway takes its hosted file with it.

Which file that is, only the message itself tells: it is asked for before the DELETE is sent, and
the order to remove the file is durable before, too. Whether the message is gone, workers find out.
"""

import re
from typing import Final

from aiohttp import web

from gateway import crash
from gateway.errors import StoreUnavailable, UpstreamRefused
from gateway.server.services import Services
from gateway.telemetry import get_logger
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Cause
from gateway.uploads.removals import Order, Removals, upload_of_url
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.paths import api_path, matched

log = get_logger(__name__)

_MESSAGE: Final = re.compile(r"(?:/v1)?(?:/applications/[0-9]{1,19})?/messages/[0-9]{1,19}")
_GONE: Final = 404


async def order_removal(request: web.Request, services: Services, target: str) -> str | None:
    """The id of an order to remove the file of the message that the request deletes, if it does.

    Nothing may be deleted before the order is durable. Raises UpstreamError where ChatKitty cannot
    be asked for the message, StoreUnavailable.
    """
    settings, backends = services.settings, services.backends
    authorizations = request.headers.getall("Authorization", [])
    if not settings.delete_files or request.method != "DELETE" or len(authorizations) != 1:
        return None
    path = matched(api_path(target, str(settings.upstream_url)))
    if _MESSAGE.fullmatch(path) is None:
        return None
    try:
        # By the caller's own token: who may not read the message learns and orders nothing.
        message = await backends.chatkitty.get_json(path, {}, CallersOwn(authorizations[0]))
    except UpstreamRefused as refused:
        if refused.retryable:
            raise
        return None  # nor will it be deleted
    file = message.get("file")
    url = file.get("url") if isinstance(file, dict) else None
    upload_id = upload_of_url(url, backends.ring)
    if upload_id is None:
        return None
    order_id = await Removals(backends.store).place(
        Order(
            upload_id=upload_id,
            cause=Cause.MESSAGE,
            path=path,
            authorization=backends.sealed(authorizations[0]),
        )
    )
    crash.point("removal.ordered")
    return order_id


async def hand_over(services: Services, order_id: str, status: int) -> None:
    """Have workers carry the order out, unless ChatKitty's answer says that nothing was deleted."""
    crash.point("removal.acted")
    backends = services.backends
    if not 400 <= status < 500 or status == _GONE:
        backends.queue.send(Step.REMOVE, order_id)
        return
    try:
        await Removals(backends.store).drop(order_id)
    except StoreUnavailable as error:  # workers will see that the message is there
        log.warning("removal.not_dropped", error=repr(error))
