"""A form with a hosted file on one of ChatKitty's paths, in one request or in several.

What comes is the form as the client wrote it, with its boundaries. If nothing in its head speaks of
that, or if it is relayed, it is an upload like any other.
"""

from aiohttp import web
from msgspec.structs import replace

from gateway import tracing
from gateway.choices import Delivery
from gateway.errors import FileTooLarge, MalformedUpload
from gateway.metrics.catalogue import OPEN_UPLOADS
from gateway.multipart import InvalidBoundary, declared_boundaries
from gateway.resumable.dialects.draft import VERSION, Draft, draft_of
from gateway.resumable.protocol import Creation, Limits
from gateway.resumable.session import FormAround
from gateway.server.admission.admit import (
    authenticate,
    authenticate_upload,
    settle_parts,
)
from gateway.server.admission.charge import charge
from gateway.server.admission.pictures import check_picture
from gateway.server.connection.context import MARKS, REQUEST_ID, UPLOAD_ID
from gateway.server.fields.head import head_of
from gateway.server.fields.resumption import check_first, is_whole
from gateway.server.handlers.opening import (
    Beginning,
    may_be_promised,
    open_session,
    sends_interim,
    take_promised,
)
from gateway.server.handlers.receiving import Receiving
from gateway.server.handlers.uploads import take_upload
from gateway.server.services import SERVICES, Services
from gateway.telemetry import bind_ids
from gateway.uploads.ids import new_id


async def take_form(request: web.Request) -> web.StreamResponse:
    """Answer a multipart request to the upstream, which may be the first of several."""
    services = request.app[SERVICES]
    if not _may_begin(request, services):
        return await take_upload(request)
    await authenticate_upload(request, services)
    dialect = draft_of(request.headers)
    check_first(request.headers)
    creation = dialect.creation(head_of(request))
    promised = may_be_promised(request, services, dialect, creation) and _has_one_boundary(request)
    if creation.complete and not promised:
        return await take_upload(request)
    return await _begin(request, services, dialect, creation)


def _may_begin(request: web.Request, services: Services) -> bool:
    """Whether the request asks for a session, or its client might be promised one."""
    if not services.settings.resumable:
        return False
    if is_whole(request.headers) and not (
        VERSION in request.headers and sends_interim(request, services)
    ):
        return False
    return services.route_of(request.raw_path).delivery is Delivery.EXTERNAL


def _has_one_boundary(request: web.Request) -> bool:
    """Whether the form can be continued; another one may be accepted if it comes as a whole."""
    try:
        declared = declared_boundaries(request.headers.get("Content-Type", ""))
    except InvalidBoundary:
        return False
    return len(declared.candidates) <= 1


async def _begin(
    request: web.Request, services: Services, dialect: Draft, creation: Creation
) -> web.StreamResponse:
    request[MARKS] = dialect.marks(None)
    upload_id = request[UPLOAD_ID] = new_id()
    bind_ids(upload_id=upload_id)
    principal = await authenticate(request, services)
    await charge(request, principal, upload_id)
    head = head_of(request)
    admitted = settle_parts(head, principal, services, upload_id, request[REQUEST_ID])
    _check_length(request, creation, dialect, admitted.body_limit)
    list(services.external.form_reader(admitted).receive_data(b""))  # what its type is refused for
    await check_picture(admitted, services.backends)
    if carried := tracing.carried():
        admitted = replace(admitted, trace=dict(carried))
    form = FormAround(
        content_type=request.headers["Content-Type"], max_file_size=admitted.route.max_file_size
    )
    beginning = Beginning(
        Receiving(request, services, principal, dialect), admitted, creation, form=form
    )
    still_open = OPEN_UPLOADS.of(Delivery.EXTERNAL)
    still_open.value += 1
    try:
        await services.fitness.check()
        if creation.complete:
            return await take_promised(beginning)
        return await open_session(beginning)
    finally:
        still_open.value -= 1


def _check_length(request: web.Request, creation: Creation, dialect: Draft, most: int) -> None:
    if creation.length == 0:
        raise MalformedUpload("the upload has no body")
    if creation.length is not None and creation.length > most:
        request[MARKS] = dialect.marks(None, Limits(most))
        raise FileTooLarge(f"the body exceeds the limit of {most} bytes")
