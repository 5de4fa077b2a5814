"""The upload resource: what became of an upload, for the subject that made it."""

import asyncio
from collections.abc import Sequence

from aiohttp import web
from redis.exceptions import RedisError

from gateway.choices import Delivery
from gateway.errors import (
    MalformedRequest,
    NotRemovable,
    QueueUnavailable,
    UploadNotFound,
)
from gateway.records.ledger import Ledger
from gateway.records.removals import Order, Removals
from gateway.server.handlers.seeing import id_in_path, reader, see_upload
from gateway.server.services import SERVICES
from gateway.telemetry import get_logger
from gateway.uploads.ids import parse_id
from gateway.uploads.lifecycle import Step, is_end
from gateway.uploads.record import Cause, State, Upload
from gateway.uploads.resource import resource_of

log = get_logger(__name__)

_PAGE = 25
_LARGEST_PAGE = 100

_LOOKUPS = 100
"""Maximum of uploads looked up for one page; most need one read, some three."""

_AT_ONCE = 10


async def head_upload(request: web.Request) -> web.Response:
    """`HEAD /gateway/uploads/{id}`: another subject's upload reads as if it did not exist."""
    principal = await reader(request)
    services = request.app[SERVICES]
    seen = await see_upload(services, principal.subject, id_in_path(request))
    return web.json_response(seen.members, headers={"ETag": seen.etag})


async def delete_upload(request: web.Request) -> web.Response:
    """`DELETE /gateway/uploads/{id}`: have workers remove the file, unless it is gone.

    Raises NotRemovable if there is no file, or if ChatKitty may be about to get its URL.
    """
    upload = await _own(request)
    if upload.removed is not None:
        return web.Response(status=204)
    if upload.delivery is Delivery.RELAY:
        raise NotRemovable("the file was relayed: ChatKitty has it, not this gateway")
    if upload.attempt is not None and not is_end(upload.state):
        raise NotRemovable("the file is being registered: try again when that has finished")
    backends = request.app[SERVICES].backends
    order = Order(
        upload_id=upload.id,
        cause=Cause.SUBJECT,
        authorization=backends.sealed(request.headers.get("Authorization")),
    )
    backends.queue.send(Step.REMOVE, await Removals(backends.store).place_once(order))
    location = {"Location": upload_location(upload.id)}
    return web.json_response(resource_of(upload), status=202, headers=location)


async def list_uploads(request: web.Request) -> web.Response:
    """`GET /gateway/uploads`: the subject's own, newest first.

    Query: `state` (only those in it), `size` (1 to 100), `before` (an id: the page after it).
    A page is made of at most `_LOOKUPS` uploads of the list: it may have fewer than `size` and even
    none, and still have a `next`.
    """
    services = request.app[SERVICES]
    principal = await reader(request)
    state, size, before = _page_of(request)
    ledger = services.backends.ledger
    try:
        ids = await ledger.ids_of_subject(principal.subject, before, _LOOKUPS + 1)
        found, seen = await _first_of(ids[:_LOOKUPS], state, size, ledger)
    except RedisError as error:
        raise QueueUnavailable("the list of uploads cannot be read now") from error
    page = {"uploads": [resource_of(upload) for upload in found]}
    more = {"next": _next(request, ids[seen - 1])} if seen < len(ids) else {}
    return web.json_response(page | more)


async def _first_of(
    ids: Sequence[str], state: State | None, size: int, ledger: Ledger
) -> tuple[list[Upload], int]:
    """The first `size` uploads that are in the state, and how many ids were gone through."""
    found: list[Upload] = []
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        uploads = await asyncio.gather(*(_find(ledger, upload_id) for upload_id in some))
        for at, upload in enumerate(uploads, start):
            if upload is not None and (state is None or upload.state is state):
                found.append(upload)
            if len(found) == size:
                return found, at + 1
    return found, len(ids)


async def _find(ledger: Ledger, upload_id: str) -> Upload | None:
    try:
        return await ledger.find_ended(upload_id)
    except UploadNotFound:
        return None


async def _own(request: web.Request) -> Upload:
    principal = await reader(request)
    upload_id = parse_id(request.match_info["id"])
    ledger = request.app[SERVICES].backends.ledger
    upload = await ledger.find(upload_id) if upload_id else None
    if upload is None or upload.subject != principal.subject:
        raise UploadNotFound("no such upload")
    return upload


def upload_location(upload_id: str) -> str:
    """The path of the upload resource."""
    return f"/gateway/uploads/{upload_id}"


def _next(request: web.Request, before: str) -> str:
    """The page after this one, of the same kind."""
    return str(request.rel_url.update_query(before=before))


def _page_of(request: web.Request) -> tuple[State | None, int, str | None]:
    query = request.query
    try:
        state = State(query["state"]) if "state" in query else None
        size = min(_LARGEST_PAGE, max(1, int(query.get("size", _PAGE))))
    except ValueError:
        raise MalformedRequest("invalid `state` or `size`") from None
    before = query.get("before")
    if before is not None and parse_id(before) is None:
        raise MalformedRequest("`before` is not the id of an upload")
    return state, size, before
