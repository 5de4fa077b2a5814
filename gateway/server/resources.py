"""The upload resource: what became of an upload, for the subject that made it."""

from aiohttp import web
from redis.exceptions import RedisError

from gateway.auth.principal import Principal
from gateway.errors import MalformedRequest, QueueUnavailable, UploadNotFound
from gateway.server.admission import authenticate, check_scopes
from gateway.server.quotas import charge
from gateway.server.services import SERVICES
from gateway.uploads.ids import parse_id
from gateway.uploads.record import State, Upload
from gateway.uploads.resource import resource_of

_PAGE = 25
_LARGEST_PAGE = 100


async def get_upload(request: web.Request) -> web.Response:
    """`GET /gateway/uploads/{id}`: another subject's upload reads as if it did not exist."""
    services = request.app[SERVICES]
    principal = await _reader(request)
    upload_id = parse_id(request.match_info["id"])
    upload = await services.backends.ledger.find(upload_id) if upload_id else None
    if upload is None or upload.subject != principal.subject:
        raise UploadNotFound("no such upload")
    return web.json_response(resource_of(upload))


async def list_uploads(request: web.Request) -> web.Response:
    """`GET /gateway/uploads`: the subject's own, newest first.

    Query: `state` (only those in it), `size` (1 to 100), `before` (an id: the page after it).
    """
    services = request.app[SERVICES]
    principal = await _reader(request)
    state, size, before = _page_of(request)
    found: list[Upload] = []
    try:
        async for upload in services.backends.ledger.list_of_subject(principal.subject, before):
            if state is None or upload.state is state:
                found.append(upload)
            if len(found) > size:
                break
    except RedisError as error:
        raise QueueUnavailable("the list of uploads cannot be read now") from error
    page = {"uploads": [resource_of(upload) for upload in found[:size]]}
    more = {"next": _next(request, found[size - 1].id)} if len(found) > size else {}
    return web.json_response(page | more)


async def _reader(request: web.Request) -> Principal:
    """Who reads, if the token and the quota allow it."""
    services = request.app[SERVICES]
    principal = await authenticate(request, services)
    await charge(request, principal)
    check_scopes(principal, services.routes.scopes_of_own(request.rel_url.raw_path))
    return principal


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
        raise MalformedRequest("`state` or `size` is no such thing") from None
    before = query.get("before")
    if before is not None and parse_id(before) is None:
        raise MalformedRequest("`before` is not the id of an upload")
    return state, size, before
