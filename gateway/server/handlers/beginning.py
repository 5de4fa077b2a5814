"""The beginning of uploads with the file as their body, in one request or in several."""

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from msgspec.structs import replace

from gateway import tracing
from gateway.choices import Delivery, Hash
from gateway.delivery.admitted import Admitted
from gateway.delivery.external import fields_of
from gateway.delivery.form import FileReader
from gateway.errors import EmptyFile, FileTooLarge, MalformedRequest, RouteNotFound
from gateway.metrics.catalogue import OPEN_UPLOADS
from gateway.multipart import PartBegin
from gateway.resumable.dialects import by_name, of_creation
from gateway.resumable.dialects.draft import UNVERSIONED, VERSION
from gateway.resumable.dialects.tus import TUS
from gateway.resumable.protocol import Creation, Dialect, Door, Limits
from gateway.server.admission.admit import authenticate, settle_file
from gateway.server.admission.body import send_interim
from gateway.server.admission.charge import charge
from gateway.server.admission.pictures import check_picture
from gateway.server.connection.context import MARKS, REQUEST_ID, TARGET, UPLOAD_ID
from gateway.server.fields.head import head_of
from gateway.server.fields.idempotency_key import idempotency_key
from gateway.server.handlers.opening import (
    PROMISE,
    Beginning,
    may_be_promised,
    open_session,
    sends_interim,
    take_promised,
    whole,
)
from gateway.server.handlers.receiving import Receiving
from gateway.server.handlers.uploads import host, host_once, repeat
from gateway.server.services import SERVICES, Services
from gateway.telemetry import bind_ids
from gateway.uploads.ids import new_id
from gateway.uploads.record import Target, Upload

RAW: Final = "/gateway/raw"
TUS_DOOR: Final = "/gateway/tus"


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
    """`POST /gateway/tus{path}`: the creation of an upload by tus; the query is the upstream's."""
    services = _services_of(request)
    target = request.raw_path.removeprefix(TUS_DOOR)
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
    if door == RAW and VERSION in request.headers and sends_interim(request, services):
        await send_interim(request, PROMISE, {})
    reply = by_name(dialect.name).options(limits)
    return web.Response(status=reply.status, headers=reply.headers)


def check_doors(services: Services) -> None:
    """Raises RouteNotFound if uploads in several requests are switched off."""
    if not services.settings.resumable:
        raise RouteNotFound("there is nothing under this path")


def _services_of(request: web.Request) -> Services:
    """Raises RouteNotFound if uploads in several requests are switched off."""
    services = request.app[SERVICES]
    check_doors(services)
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
    upload_id = request[UPLOAD_ID] = new_id()
    bind_ids(upload_id=upload_id)
    principal = await authenticate(request, services)
    await charge(request, principal, upload_id)
    creation = dialect.creation(head_of(request))
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
        beginning = Beginning(receiving, admitted, creation, fields)
        if not creation.complete:
            return await open_session(beginning)
        if may_be_promised(request, services, dialect, creation):
            return await take_promised(beginning)
        request[MARKS] = dialect.marks(whole(creation.length or 0))
        response = await _host(request, services, admitted, creation, fields)
        request[MARKS] = dialect.marks(whole(creation.length or request.content.total_bytes))
        return response
    finally:
        still_open.value -= 1


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
    """Accept a file that this request brings as a whole, like one in a form."""
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
