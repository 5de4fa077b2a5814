"""Where uploads begin whose body is the file itself, in one request or in several."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import HttpVersion11, web
from msgspec.structs import replace

from gateway import crash, tracing
from gateway.choices import Delivery, Hash
from gateway.delivery.admitted import Admitted
from gateway.delivery.external import fields_of
from gateway.delivery.form import FileReader
from gateway.errors import (
    BodyTimeout,
    EmptyFile,
    FileTooLarge,
    MalformedRequest,
    RouteNotFound,
    Unavailable,
)
from gateway.metrics.catalogue import OPEN_UPLOADS
from gateway.metrics.requests import CUT
from gateway.multipart import PartBegin
from gateway.resumable.dialects import by_name, of_creation
from gateway.resumable.dialects.draft import UNVERSIONED, VERSION
from gateway.resumable.dialects.tus import TUS
from gateway.resumable.protocol import Append, Creation, Dialect, Door, Limits, Report
from gateway.resumable.session import Phase, Session
from gateway.resumable.sessions import Kept
from gateway.server.admission.admit import authenticate, settle_file
from gateway.server.admission.body import send_interim
from gateway.server.admission.charge import charge
from gateway.server.admission.pictures import check_picture
from gateway.server.connection.context import (
    ENDED,
    MARKS,
    PARTIAL,
    REQUEST_ID,
    TARGET,
    UPLOAD_ID,
)
from gateway.server.fields.head import head_of
from gateway.server.fields.idempotency_key import idempotency_key
from gateway.server.fields.prefer import preference
from gateway.server.handlers.receiving import (
    Receiving,
    append,
    conclude,
    report_of,
    report_of_upload,
)
from gateway.server.handlers.uploads import host, host_once, repeat
from gateway.server.services import SERVICES, Services
from gateway.telemetry import bind_ids, get_logger
from gateway.uploads.ids import new_id
from gateway.uploads.names import safe_name
from gateway.uploads.record import Target, Upload

log = get_logger(__name__)

RAW: Final = "/gateway/raw"
TUS_DOOR: Final = "/gateway/tus"

_PROMISE: Final = "104 Upload Resumption Supported"

_WORTH_IT: Final = 1024 * 1024
"""Bytes of a whole file from which on it is worth two more requests to the store to continue it."""


async def begin_raw(request: web.Request) -> web.StreamResponse:
    """`POST` or `PUT /gateway/raw{path}`: the body is the file, or its first bytes.

    The parts next to the file are members of the query.
    """
    services = _services_of(request)
    target, _, query = request.raw_path.removeprefix(RAW).partition("?")
    dialect = of_creation(request.headers, Door.RAW)
    return await _begin(request, services, dialect, target, _fields_in(query))


def _fields_in(query: str) -> tuple[tuple[str, str], ...]:
    """The members of a query. Raises MalformedRequest if one of them is not text."""
    try:
        return tuple(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise MalformedRequest("the percent-encoding in the query is not valid UTF-8") from None


async def begin_tus(request: web.Request) -> web.StreamResponse:
    """`POST /gateway/tus{path}`: the creation of an upload by tus."""
    services = _services_of(request)
    target = request.raw_path.removeprefix(TUS_DOOR).partition("?")[0]
    dialect = of_creation(request.headers, Door.TUS)
    return await _begin(request, services, dialect, target, ())


async def tell_limits(request: web.Request) -> web.StreamResponse:
    """`OPTIONS` of either: the versions that are supported, and how large a file may be.

    A client that names a version of the draft also gets an interim response, and so learns whether
    the proxies between them pass it on.
    """
    services = _services_of(request)
    door, dialect = (TUS_DOOR, TUS) if _is_tus(request) else (RAW, UNVERSIONED)
    target = request.raw_path.removeprefix(door).partition("?")[0]
    limits = Limits(services.route_of(target).max_file_size)
    if door == RAW and VERSION in request.headers and _sends_interim(request, services):
        await send_interim(request, _PROMISE, {})
    reply = by_name(dialect.name).options(limits)
    return web.Response(status=reply.status, headers=reply.headers)


def _services_of(request: web.Request) -> Services:
    """Raises RouteNotFound if the doors are closed."""
    services = request.app[SERVICES]
    if not services.settings.resumable:
        raise RouteNotFound("there is nothing under this path")
    return services


def _is_tus(request: web.Request) -> bool:
    return request.raw_path.startswith(f"{TUS_DOOR}/")


async def _begin(
    request: web.Request,
    services: Services,
    dialect: Dialect,
    target: str,
    fields: tuple[tuple[str, str], ...],
) -> web.StreamResponse:
    request[MARKS], request[TARGET] = dialect.marks(None), target
    creation = dialect.creation(head_of(request))
    upload_id = request[UPLOAD_ID] = new_id()
    bind_ids(upload_id=upload_id)
    principal = await authenticate(request, services)
    await charge(request, principal, upload_id)
    admitted = settle_file(
        head_of(request),
        Target("POST", target),
        principal,
        services,
        upload_id,
        request[REQUEST_ID],
    )
    if admitted.route.endpoint is not None:
        fields = fields_of(admitted.route.endpoint, (*creation.fields, *fields), principal)
    _check_length(request, creation, dialect, admitted.route.max_file_size)
    await check_picture(admitted, services.backends)
    if carried := tracing.carried():
        admitted = replace(admitted, trace=dict(carried))
    still_open = OPEN_UPLOADS.of(Delivery.EXTERNAL)
    still_open.value += 1
    try:
        await services.fitness.check()
        receiving = Receiving(request, services, principal, dialect)
        if creation.complete and _may_be_continued(receiving, creation):
            request[PARTIAL] = True
            return await _host_promised(receiving, admitted, creation, fields)
        if creation.complete:
            request[MARKS] = dialect.marks(_whole(creation.length or 0))
            response = await _host(request, services, admitted, creation, fields)
            request[MARKS] = dialect.marks(_whole(creation.length or request.content.total_bytes))
            return response
        request[PARTIAL] = True
        return await _open(receiving, admitted, creation, fields)
    finally:
        still_open.value -= 1


def _whole(size: int) -> Report:
    """What answers say of a file that comes in one request: theirs is the target's answer."""
    return Report(
        offset=size,
        length=size,
        complete=True,
        location="",
        expires_in=0.0,
        at=datetime.now(UTC),
        limits=Limits(size),
    )


def _check_length(request: web.Request, creation: Creation, dialect: Dialect, most: int) -> None:
    if creation.length == 0:
        raise EmptyFile("the file has no bytes; send a file with content")
    if creation.length is not None and creation.length > most:
        request[MARKS] = dialect.marks(None, Limits(most))
        raise FileTooLarge(f"a file may have at most {most} bytes here")


async def _host(
    request: web.Request,
    services: Services,
    admitted: Admitted,
    creation: Creation,
    fields: tuple[tuple[str, str], ...],
) -> web.Response:
    """Take a file that comes in this request as a whole, like one in a form."""
    reader = FileReader(
        PartBegin(None, creation.name, creation.type, creation.escaped),
        fields,
        max_file_size=admitted.route.max_file_size,
        sha256=services.settings.hash is Hash.SHA256,
    )
    key = idempotency_key(request.headers.getall("Idempotency-Key", []))
    async with services.presence.of(admitted.upload_id, at_once=key is not None):
        if key is None:
            return await host(request, services, admitted, reader)
        claimed = await services.once.claim(admitted, key, services.settings.registration_wait)
        if isinstance(claimed, Upload):
            return await repeat(request, services, claimed)
        return await host_once(request, services, admitted, reader, claimed)


def _may_be_continued(receiving: Receiving, creation: Creation) -> bool:
    """Whether the client of a whole file is to learn, while it sends, where it can go on."""
    request, services, _, dialect = receiving
    return (
        _sends_interim(request, services)
        and dialect.interim(_whole(0)) is not None
        and (creation.length is None or creation.length >= _WORTH_IT)
    )


def _sends_interim(request: web.Request, services: Services) -> bool:
    return services.settings.interim_responses and request.version >= HttpVersion11


async def _host_promised(
    receiving: Receiving,
    admitted: Admitted,
    creation: Creation,
    fields: tuple[tuple[str, str], ...],
) -> web.Response:
    """Take a whole file; if it is cut, its client may go on with what did not arrive.

    The interim response is the first of all, since Envoy passes no second one on.
    """
    request, services, _, dialect = receiving
    key = idempotency_key(request.headers.getall("Idempotency-Key", []))
    async with services.presence.of(admitted.upload_id, at_once=key is not None):
        if key is not None:
            patience = services.settings.registration_wait
            claimed = await services.once.claim(admitted, key, patience)
            if isinstance(claimed, Upload):
                request[PARTIAL] = False
                return await repeat(request, services, claimed)
        kept = await _created_session(receiving, admitted, creation, fields)
        promise = dialect.interim(report_of(receiving, kept.session)) or {}
        await send_interim(request, _PROMISE, promise)
        try:
            kept = await append(receiving, kept, Append(0, complete=True, length=creation.length))
        except (Unavailable, BodyTimeout):
            # iOS goes on after a connection that is cut, and gives up after an answer.
            request[ENDED] = CUT
            if request.transport is not None:
                request.transport.close()
            raise
        return await conclude(receiving, kept)


async def _open(
    receiving: Receiving,
    admitted: Admitted,
    creation: Creation,
    fields: tuple[tuple[str, str], ...],
) -> web.Response:
    """Begin a session, and bring it what the request brings."""
    request, services, _, dialect = receiving
    begun = await _session_of(receiving, admitted, creation, fields)
    if isinstance(begun, Upload):
        request[UPLOAD_ID] = begun.id
        return _created(dialect, report_of_upload(receiving, begun))
    kept, fresh = begun
    request[UPLOAD_ID] = kept.session.id
    if creation.has_content and fresh:
        asked = Append(0, complete=False, length=creation.length, checksum=creation.checksum)
        kept = await append(receiving, kept, asked)
    if kept.session.phase is Phase.COMPLETE and dialect.name != TUS.name:
        return await conclude(receiving, kept)
    if kept.session.phase is Phase.COMPLETE:
        await conclude(receiving, kept)
    else:
        services.sessions.remember(kept)
    return _created(dialect, report_of(receiving, kept.session))


def _created(dialect: Dialect, report: Report) -> web.Response:
    reply = dialect.created(report)
    return web.Response(status=reply.status, headers=reply.headers)


async def _session_of(
    receiving: Receiving,
    admitted: Admitted,
    creation: Creation,
    fields: tuple[tuple[str, str], ...],
) -> tuple[Kept, bool] | Upload:
    """The session to bring bytes to, and whether it was begun now; or a finished one's upload.

    A creation with an `Idempotency-Key` that was used before is answered as the first one.
    """
    request, services, _, _ = receiving
    key = idempotency_key(request.headers.getall("Idempotency-Key", []))
    if key is None:
        return await _created_session(receiving, admitted, creation, fields), True
    asked = replace(admitted, content_length=creation.length)
    async with services.presence.of(admitted.upload_id, at_once=True):
        patience = services.settings.registration_wait
        claimed = await services.once.claim_session(asked, key, patience)
        if isinstance(claimed, Upload):
            return claimed
        if isinstance(claimed, Kept):
            return claimed, False
        return await _created_session(receiving, admitted, creation, fields), True


async def _created_session(
    receiving: Receiving,
    admitted: Admitted,
    creation: Creation,
    fields: tuple[tuple[str, str], ...],
) -> Kept:
    session = _new_session(receiving, admitted, creation, fields)
    kept = await receiving.services.sessions.create(session)
    crash.point(crash.Point.SESSION_CREATED)
    log.info("session.created", dialect=session.dialect, length=session.length)
    return kept


def _new_session(
    receiving: Receiving,
    admitted: Admitted,
    creation: Creation,
    fields: tuple[tuple[str, str], ...],
) -> Session:
    request, services, _, dialect = receiving
    default = 0.0 if dialect.name == TUS.name else services.settings.registration_wait
    wanted = preference(request.headers.getall("Prefer", []), default)
    return Session(
        upload=replace(
            admitted.receiving(),
            fields=fields,
            authorization=services.backends.sealed(admitted.authorization),
        ),
        dialect=dialect.name,
        name=safe_name(creation.name or "", path=not creation.escaped),
        original_name=creation.name,
        declared_type=creation.type,
        metadata=creation.metadata,
        length=creation.length,
        limit=admitted.route.max_file_size,
        wait=wanted.wait,
    )
