"""An upload in several requests: its state, further bytes, and its end by the client."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final

from aiohttp import web

from gateway.auth.principal import Principal
from gateway.choices import Delivery
from gateway.errors import (
    InconsistentUploadLength,
    MethodNotAllowed,
    NotHosted,
    NotRemovable,
    OffsetMismatch,
    QuotaExceeded,
    SessionEnded,
    TooManyUploads,
    UploadNotFound,
)
from gateway.metrics.catalogue import BYTES_NOT_RESENT, OPEN_UPLOADS, RESUMED
from gateway.resumable.dialects import of_resource
from gateway.resumable.dialects.draft import UNVERSIONED
from gateway.resumable.dialects.tus import RESUMABLE, TUS
from gateway.resumable.finishing import give_up
from gateway.resumable.protocol import Append, Dialect
from gateway.resumable.session import Phase, check_open
from gateway.resumable.sessions import Kept
from gateway.server.admission.admit import (
    authenticate,
    check_encoding,
    check_expectation,
    check_may_host,
    check_scopes,
)
from gateway.server.admission.charge import charge
from gateway.server.connection.context import MARKS, PARTIAL, TARGET, UPLOAD_ID
from gateway.server.fields.head import head_of
from gateway.server.handlers.receiving import (
    Receiving,
    answer_accepted,
    append,
    conclude,
    end,
    mark,
    replied,
    report_of,
    report_of_upload,
    take_over,
)
from gateway.server.handlers.resources import delete_upload, head_upload
from gateway.server.handlers.seeing import id_in_path, poll, reader, see
from gateway.server.services import SERVICES, Services
from gateway.telemetry import bind_ids, get_logger
from gateway.uploads.ids import parse_id
from gateway.uploads.record import State, Upload
from gateway.uploads.resource import resource_of, timestamp

log = get_logger(__name__)

_OVERRIDE: Final = "X-HTTP-Method-Override"
_OVERRIDDEN: Final = frozenset({"PATCH", "DELETE"})


async def answer_upload(request: web.Request) -> web.StreamResponse:
    """`/gateway/uploads/{id}`: the resource of an upload, and the upload itself to continue it."""
    services = request.app[SERVICES]
    method = _method_of(request, services)
    dialect = of_resource(method, request.headers) if services.settings.resumable else None
    match method:
        case "GET":
            return await _get(request, services, dialect or UNVERSIONED)
        case "HEAD" if dialect is None:
            return await head_upload(request)
        case "HEAD" if dialect is not None:
            return await _tell_state(request, services, dialect)
        case "PATCH" if dialect is not None:
            return await _continue(request, services, dialect)
        case "DELETE" if dialect is not None or await _is_session(request, services):
            return await _cancel(request, services, dialect or UNVERSIONED)
        case "DELETE" if services.settings.delete_files:
            return await delete_upload(request)
    raise _method_refused(services)


def _method_refused(services: Services) -> MethodNotAllowed:
    settings = services.settings
    further = {"PATCH": settings.resumable, "DELETE": settings.delete_files}
    allowed = ["GET", "HEAD", *(method for method, is_on in further.items() if is_on)]
    return MethodNotAllowed(f"this path supports only {', '.join(allowed)}", allowed)


def _method_of(request: web.Request, services: Services) -> str:
    """The method; tus clients that cannot send PATCH or DELETE name it in a header.

    That header means nothing in other requests: a proxy in front of the gateway may allow POST but
    not DELETE.
    """
    override = request.headers.get(_OVERRIDE, "").upper()
    by_tus = services.settings.resumable and RESUMABLE in request.headers
    if by_tus and request.method == "POST" and override in _OVERRIDDEN:
        return override
    return request.method


async def _is_session(request: web.Request, services: Services) -> bool:
    """Whether the caller has an upload of that id that comes in several requests."""
    if not services.settings.resumable:
        return False
    try:
        await _own_session(request, services, await authenticate(request, services))
    except UploadNotFound:
        return False
    return True


async def _get(request: web.Request, services: Services, dialect: Dialect) -> web.Response:
    """The resource of an upload, also while more of it is to come; or its next version."""
    principal = await reader(request)
    try:
        upload_id = id_in_path(request)
        look = partial(see, services, principal.subject, upload_id)
        found = await poll(request, principal.subject, upload_id, look)
    except UploadNotFound:
        if services.settings.resumable:
            request[MARKS], request[PARTIAL] = dialect.marks(None), True
        raise
    seen = found.seen
    headers = {"ETag": seen.etag, "Cache-Control": "private, no-cache"}
    if found.applied is not None:
        headers["Preference-Applied"] = found.applied
    if seen.kept is not None:
        receiving = Receiving(request, services, principal, dialect)
        headers |= _describe_session(receiving, seen.kept, seen.members)
    if found.is_known:
        return web.Response(status=304, headers=headers)
    return web.json_response(seen.members, headers=headers)


def _describe_session(
    receiving: Receiving, kept: Kept, members: dict[str, object]
) -> Mapping[str, str]:
    """Add how far the upload is to its members; returns the headers that say the same."""
    request, services, _, dialect = receiving
    session = kept.session
    request[MARKS], request[PARTIAL] = dialect.marks(None), True
    request[UPLOAD_ID] = session.id
    if session.phase is Phase.COMPLETE:
        return {}
    until = datetime.fromtimestamp(
        datetime.now(UTC).timestamp() + max(0.0, services.settings.resume_for - kept.age), UTC
    )
    more = {"offset": session.offset, "length": session.length, "expires": timestamp(until)}
    members |= {name: value for name, value in more.items() if value is not None}
    return dialect.state(report_of(receiving, session)).headers


async def _tell_state(
    request: web.Request, services: Services, dialect: Dialect
) -> web.StreamResponse:
    """`HEAD`: how far the upload is; the next request may continue it from there.

    It counts as a request, but not as an upload.
    """
    receiving = await _receiving(request, services, dialect)
    await _charge(receiving)
    try:
        kept = await _own_session(request, services, receiving.principal)
        _check_scopes_of(kept.session.upload, receiving)
        kept = await take_over(services, kept)
    except UploadNotFound:
        upload = await _own_upload(receiving)
        _check_scopes_of(upload, receiving)
        if upload.delivery is Delivery.RELAY:
            return web.json_response(resource_of(upload))
        reply = dialect.state(report_of_upload(receiving, upload))
        return web.Response(status=reply.status, headers=reply.headers)
    session = kept.session
    check_open(session)
    if session.phase is Phase.COMPLETE:
        await end(services, kept, again=True)
    elif session.offset:
        RESUMED.add(session.dialect)
        BYTES_NOT_RESENT.add(session.dialect, amount=session.offset)
    reply = dialect.state(report_of(receiving, session))
    return web.Response(status=reply.status, headers=reply.headers)


async def _continue(
    request: web.Request, services: Services, dialect: Dialect
) -> web.StreamResponse:
    """`PATCH`: more of the file, from the offset on that the request names."""
    receiving = await _receiving(request, services, dialect)
    await _charge(receiving, _id_of(request))
    check_expectation(request.headers)
    check_encoding(request.headers)
    asked = dialect.append(head_of(request))
    try:
        kept = await _to_continue(receiving, asked)
    except UploadNotFound:
        return await _answer_again(receiving, asked, await _own_upload(receiving))
    request[TARGET] = kept.session.upload.target.path
    _check_scopes_of(kept.session.upload, receiving)
    check_may_host(receiving.principal, services)
    await services.fitness.check()
    mark(receiving, kept.session)
    if kept.session.phase is Phase.COMPLETE:
        return await _answer_complete(receiving, asked, kept)
    still_open = OPEN_UPLOADS.of(Delivery.EXTERNAL)
    still_open.value += 1
    try:
        kept = await append(receiving, kept, asked)
        if kept.session.phase is Phase.COMPLETE:
            return await conclude(receiving, kept)
        services.sessions.remember(kept)
        return replied(receiving, kept.session)
    finally:
        still_open.value -= 1


async def _charge(receiving: Receiving, upload_id: str | None = None) -> None:
    """Charge the request to its subject's quota, as one of an upload in progress if it has an id.

    tus clients give up after a 429, and begin another upload if a HEAD gets one, so they get
    another status.
    """
    try:
        await charge(receiving.request, receiving.principal, upload_id)
    except QuotaExceeded as error:
        if receiving.dialect.name != TUS.name:
            raise
        raise TooManyUploads(str(error), error.retry_after) from error


async def _to_continue(receiving: Receiving, asked: Append) -> Kept:
    """The session as this process remembers it, or as stored if the client means another state."""
    request, services, principal, _ = receiving
    upload_id = _id_of(request)
    known = services.sessions.recall(upload_id)
    if (
        known is not None
        and known.session.upload.subject == principal.subject
        and known.session.offset == asked.offset
        and not services.let_go.is_watched(upload_id)
    ):
        request[UPLOAD_ID] = upload_id
        return known
    kept = await _own_session(request, services, principal)
    if kept.session.holder is not None or services.let_go.is_watched(upload_id):
        kept = await take_over(services, kept)
    return kept


async def _answer_complete(receiving: Receiving, asked: Append, kept: Kept) -> web.StreamResponse:
    """The answer to a request after the last one: the same answer, if it repeats that one."""
    if asked.offset != kept.session.offset or _has_content(receiving.request):
        await end(receiving.services, kept, again=True)
    _check_repeats(receiving.request, asked, kept.session.offset)
    return await conclude(receiving, kept, again=True)


async def _answer_again(receiving: Receiving, asked: Append, upload: Upload) -> web.StreamResponse:
    """The answer to a request that comes after the session's end. Raises NotHosted."""
    if upload.delivery is Delivery.RELAY:
        raise NotHosted("the upload is relayed to ChatKitty, and cannot be continued")
    report = report_of_upload(receiving, upload)
    receiving.request[MARKS] = receiving.dialect.marks(report)
    _check_repeats(receiving.request, asked, report.offset)
    return await answer_accepted(receiving, upload, 0.0)


def _check_repeats(request: web.Request, asked: Append, length: int) -> None:
    """Refuse a request to a complete upload, unless it repeats the last one.

    Raises OffsetMismatch, InconsistentUploadLength.
    """
    if asked.offset != length:
        raise OffsetMismatch(length, asked.offset)
    if _has_content(request):
        raise InconsistentUploadLength(f"the upload is already complete, with {length} bytes")


def _has_content(request: web.Request) -> bool:
    return request.body_exists and request.content_length != 0


async def _cancel(request: web.Request, services: Services, dialect: Dialect) -> web.StreamResponse:
    """`DELETE`: abandon the upload. Raises NotRemovable once it was accepted."""
    receiving = await _receiving(request, services, dialect)
    await _charge(receiving)
    try:
        kept = await _own_session(request, services, receiving.principal)
        _check_scopes_of(kept.session.upload, receiving)
        if kept.session.phase is Phase.OPEN:
            kept = await take_over(services, kept)
    except UploadNotFound:
        await _own_upload(receiving)
        raise NotRemovable("the upload is complete: ChatKitty may have it") from None
    if kept.session.phase is Phase.COMPLETE:
        await end(services, kept, again=True)
        raise NotRemovable("the upload is complete: ChatKitty may have it")
    check_open(kept.session)
    await give_up(services.backends, services.sessions, kept, Phase.CANCELLED)
    reply = dialect.cancelled()
    return web.Response(status=reply.status, headers=reply.headers)


def _check_scopes_of(upload: Upload, receiving: Receiving) -> None:
    """Refuse callers that may not create such an upload. Raises InsufficientScope."""
    route = receiving.services.route_of(upload.target.path)
    check_scopes(receiving.principal, route.scopes)


async def _receiving(request: web.Request, services: Services, dialect: Dialect) -> Receiving:
    """The request, with its caller known, and its dialect in all of its answers."""
    request[MARKS], request[PARTIAL] = dialect.marks(None), True
    return Receiving(request, services, await authenticate(request, services), dialect)


def _id_of(request: web.Request) -> str:
    """The id in the path. Raises UploadNotFound if it is not one."""
    if (upload_id := parse_id(request.match_info["id"])) is None:
        raise UploadNotFound("no such upload")
    bind_ids(upload_id=upload_id)
    return upload_id


async def _own_session(request: web.Request, services: Services, principal: Principal) -> Kept:
    """The session: another subject's reads as if it did not exist. Raises UploadNotFound."""
    kept = await services.sessions.read(_id_of(request))
    if kept.session.upload.subject != principal.subject:
        raise UploadNotFound("no such upload")
    request[UPLOAD_ID] = kept.session.id
    return kept


async def _own_upload(receiving: Receiving) -> Upload:
    """The upload that a session became.

    Raises SessionEnded if that is none, UploadNotFound also for another subject's.
    """
    ledger = receiving.services.backends.ledger
    upload = await ledger.find(_id_of(receiving.request))
    if upload.subject != receiving.principal.subject:
        raise UploadNotFound("no such upload")
    receiving.request[UPLOAD_ID] = upload.id
    if upload.state is State.ABORTED:
        raise SessionEnded("the upload was cancelled, or has expired")
    return upload
