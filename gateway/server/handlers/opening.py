"""Begins a session: one that its client asks for, or one for a whole upload that may be cut."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiohttp import HttpVersion11, web
from msgspec.structs import replace

from gateway import crash
from gateway.delivery.admitted import Admitted
from gateway.errors import BodyTimeout, QuotaExceeded, Unavailable
from gateway.metrics.requests import CUT
from gateway.records.claims import Held
from gateway.resumable.dialects.tus import TUS
from gateway.resumable.protocol import Append, Creation, Dialect, Limits, Report
from gateway.resumable.session import FormAround, Phase, Session
from gateway.resumable.sessions import Kept
from gateway.server.admission.body import send_interim
from gateway.server.connection.context import ENDED, MARKS, PARTIAL, UPLOAD_ID
from gateway.server.fields.idempotency_key import idempotency_key
from gateway.server.fields.prefer import preference
from gateway.server.handlers.receiving import (
    Receiving,
    append,
    conclude,
    report_of,
    report_of_upload,
)
from gateway.server.handlers.uploads import repeat
from gateway.server.services import Services
from gateway.telemetry import get_logger
from gateway.uploads.names import safe_name
from gateway.uploads.record import Upload

log = get_logger(__name__)

PROMISE: Final = "104 Upload Resumption Supported"

_WORTH_IT: Final = 1024 * 1024
"""Bytes that a whole upload has at least, to be worth two more requests to the store."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """An upload that begins; `fields` are the parts next to the file, if they are not in `form`."""

    receiving: Receiving
    admitted: Admitted
    creation: Creation
    fields: tuple[tuple[str, str], ...] = ()
    form: FormAround | None = None


def whole(size: int) -> Report:
    """What answers report about an upload in one request: it gets the target's answer."""
    return Report(
        offset=size,
        length=size,
        complete=True,
        location="",
        expires_in=0.0,
        at=datetime.now(UTC),
        limits=Limits(size),
    )


def may_be_promised(
    request: web.Request, services: Services, dialect: Dialect, creation: Creation
) -> bool:
    """Whether the client of a whole upload learns, while it sends, where it can resume."""
    return (
        sends_interim(request, services)
        and dialect.interim(whole(0)) is not None
        and (creation.length is None or creation.length >= _WORTH_IT)
        # With a digest, nothing would count before all has arrived and been compared.
        and creation.checksum is None
    )


def sends_interim(request: web.Request, services: Services) -> bool:
    """Whether a client of this request may get an interim response."""
    return services.settings.interim_responses and request.version >= HttpVersion11


async def take_promised(beginning: Beginning) -> web.Response:
    """Accept a whole upload; if it is cut, its client may send only what did not arrive.

    The interim response is the first of all, since Envoy passes no second one on.
    """
    receiving, admitted = beginning.receiving, beginning.admitted
    request, services, _, dialect = receiving
    request[PARTIAL] = beginning.form is None  # a form comes by its route's own path
    key = idempotency_key(request.headers.getall("Idempotency-Key", []))
    held: Held | None = None
    async with services.presence.of(admitted.upload_id, at_once=key is not None):
        if key is not None:
            patience = services.settings.registration_wait
            claimed = await services.once.claim(admitted, key, patience)
            if isinstance(claimed, Upload):
                request[PARTIAL] = False
                request[MARKS] = dialect.marks(whole(beginning.creation.length or 0))
                return await repeat(request, services, claimed)
            held = claimed
        kept = await _created_session(beginning, held)
        promise = dialect.interim(report_of(receiving, kept.session)) or {}
        await send_interim(request, PROMISE, promise)
        asked = Append(0, complete=True, length=beginning.creation.length)
        try:
            kept = await append(receiving, kept, asked)
        except (Unavailable, BodyTimeout):
            # iOS resumes after a connection is cut, and gives up after an answer.
            request[ENDED] = CUT
            if request.transport is not None:
                request.transport.close()
            raise
        return await conclude(receiving, kept)


async def open_session(beginning: Beginning) -> web.Response:
    """Begin a session, and add the request's content to it."""
    receiving, creation = beginning.receiving, beginning.creation
    request, services, _, dialect = receiving
    request[PARTIAL] = beginning.form is None
    begun = await _session_of(beginning)
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


async def _session_of(beginning: Beginning) -> tuple[Kept, bool] | Upload:
    """The session to add bytes to, and whether it was begun now; or the upload of a finished one.

    A creation with an `Idempotency-Key` that was used before is answered as the first one.
    """
    request, services, _, _ = beginning.receiving
    admitted = beginning.admitted
    key = idempotency_key(request.headers.getall("Idempotency-Key", []))
    if key is None:
        return await _created_session(beginning), True
    asked = replace(admitted, content_length=beginning.creation.length)
    async with services.presence.of(admitted.upload_id, at_once=True):
        patience = services.settings.registration_wait
        claimed = await services.once.claim_session(asked, key, patience)
        if isinstance(claimed, Upload):
            return claimed
        if isinstance(claimed, Kept):
            return claimed, False
        return await _created_session(beginning, claimed), True


async def _created_session(beginning: Beginning, held: Held | None = None) -> Kept:
    """Begin a session; `held` is the claim of its idempotency key.

    Raises QuotaExceeded if its subject has too many open sessions; then nothing is left behind.
    """
    try:
        return await _counted_session(beginning)
    except QuotaExceeded:
        if held is not None:
            await beginning.receiving.services.once.release(held)
        raise


async def _counted_session(beginning: Beginning) -> Kept:
    session, services = _new_session(beginning), beginning.receiving.services
    subject, counted = session.upload.subject, services.open_sessions
    if counted is not None:
        await counted.check(subject)
    kept = await services.sessions.create(session)
    if counted is not None:
        await counted.admit(subject, session.id)
    crash.point(crash.Point.SESSION_CREATED)
    log.info("session.created", dialect=session.dialect, length=session.length)
    return kept


def _new_session(beginning: Beginning) -> Session:
    request, services, _, dialect = beginning.receiving
    admitted, creation, form = beginning.admitted, beginning.creation, beginning.form
    default = 0.0 if dialect.name == TUS.name else services.settings.registration_wait
    wanted = preference(request.headers.getall("Prefer", []), default)
    return Session(
        upload=replace(
            admitted.receiving(),
            fields=beginning.fields,
            authorization=services.backends.sealed(admitted.authorization),
        ),
        dialect=dialect.name,
        name=safe_name(creation.name or "", path=not creation.escaped),
        original_name=creation.name,
        declared_type=creation.type,
        metadata=creation.metadata,
        length=creation.length,
        limit=admitted.route.max_file_size if form is None else admitted.body_limit,
        wait=wanted.wait,
        form=form,
    )
