"""Adds a request's body to a session, and answers with the session's state."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace as changed
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aiohttp import web
from msgspec.structs import replace

from gateway import crash
from gateway.auth.principal import Principal
from gateway.choices import Hash
from gateway.delivery.ending import end_session
from gateway.delivery.external import fields_of
from gateway.delivery.form import REFUSALS, Form
from gateway.delivery.resumed_form import ResumedForm
from gateway.errors import (
    AnotherUser,
    BudgetExhausted,
    ClientError,
    FileTooLarge,
    InconsistentUploadLength,
    OffsetMismatch,
    PartsLost,
    SessionEnded,
    SessionTaken,
    StoreUnavailable,
    UploadAborted,
    UploadNotFound,
)
from gateway.internals.aiohttp import unread
from gateway.limits.budget import Holding
from gateway.records.completion_events import announce
from gateway.resumable.appending import UNMARKED, Appender
from gateway.resumable.dialects.tus import TUS
from gateway.resumable.finishing import completed, described, give_up
from gateway.resumable.protocol import Append, Dialect, Limits, Report
from gateway.resumable.session import Phase, Session, check_open, fenced, with_length
from gateway.resumable.sessions import Kept
from gateway.server.admission.body import check_digest, read_body
from gateway.server.connection.context import MARKS, PARTIAL
from gateway.server.handlers.uploads import answer_hosted, answer_to, ask_for_body
from gateway.server.services import Services
from gateway.telemetry import get_logger
from gateway.uploads.keys import LET_GO_CHANNEL
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import File, Upload
from gateway.uploads.resource import resource_of

log = get_logger(__name__)

_PATIENCE: Final = 1.0
"""Seconds for which a request waits for memory before its body is read."""

_LET_GO_SECONDS: Final = 2.0
"""How long a request in progress may take to commit its bytes, after another one asks for it."""

_LOOK_SECONDS: Final = 0.1
_ERROR: Final = 400
"""The lowest status of an error."""

_TRIES: Final = 10

_REFUSED: Final = (*REFUSALS, AnotherUser)
"""Errors for which a form is refused for good, once its content is known."""


class Receiving(NamedTuple):
    """A request that brings bytes to a session, and its caller."""

    request: web.Request
    services: Services
    principal: Principal
    dialect: Dialect


async def take_over(services: Services, kept: Kept) -> Kept:
    """The session, after a change that refuses any other request's later writes.

    `kept` is the session as it was read last. If a request is in progress, it is asked to commit
    its bytes. Raises UploadNotFound, SessionTaken, StoreUnavailable.
    """
    upload_id = kept.session.id
    clock = asyncio.get_running_loop().time
    deadline = clock() + _LET_GO_SECONDS
    for _ in range(_TRIES):
        if kept.session.phase is not Phase.OPEN:
            return kept
        if kept.session.holder is not None or services.let_go.is_watched(upload_id):
            kept = await _let_go(services, kept, deadline)
        try:
            return await services.sessions.change(kept, fenced(kept.session))
        except SessionTaken:
            kept = await services.sessions.read(upload_id)
    raise SessionTaken("other requests are still continuing the upload")


async def _let_go(services: Services, kept: Kept, deadline: float) -> Kept:
    upload_id = kept.session.id
    services.let_go.wake(upload_id)
    await announce(services.backends.redis, upload_id, channel=LET_GO_CHANNEL)
    clock = asyncio.get_running_loop().time
    while clock() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        kept = await services.sessions.read(upload_id)
        if kept.session.holder is None and not services.let_go.is_watched(upload_id):
            break
    return kept


async def append(receiving: Receiving, kept: Kept, asked: Append) -> Kept:
    """Add the request's body to an open session, from the offset that it names.

    Whatever ends the body, all that was read of it is durable before this returns or raises; with
    a checksum, or if it is too long, all or nothing. Raises OffsetMismatch,
    InconsistentUploadLength, FileTooLarge and what a form is refused for (after all of which the
    session is at its end), ChecksumFailed, DigestMismatch, SessionTaken, SessionEnded, and what the
    body, the memory and the store refuse.
    """
    request, services, principal, _ = receiving
    session = kept.session
    check_open(session)
    mark(receiving, session)
    if asked.offset != session.offset or session.phase is not Phase.OPEN:
        raise OffsetMismatch(session.offset, asked.offset)
    length = request.content_length if request.body_exists else 0
    try:
        _check_room(with_length(session, asked.length), length)
        with services.slots.hold():
            async with (
                services.presence.of(session.id),
                services.let_go.watch(session.id) as told,
                services.external.budget.hold(principal.subject, length, _PATIENCE) as memory,
            ):
                kept = await _append(receiving, kept, asked, length, told, memory)
    except (InconsistentUploadLength, FileTooLarge):
        await asyncio.shield(_invalidate(services, session.id))
        raise
    except PartsLost as error:
        raise await _without_parts(services, session.id, error) from error
    if kept.session.phase is Phase.COMPLETE:
        crash.point(crash.Point.SESSION_COMPLETE)
    return kept


async def _invalidate(services: Services, upload_id: str) -> None:
    """End a session, unless it has ended, or is complete: then its upload is accepted."""
    with suppress(UploadNotFound):
        kept = await services.sessions.read(upload_id)
        if kept.session.phase is Phase.OPEN:
            await give_up(services.backends, services.sessions, kept, Phase.INVALID)


async def _without_parts(services: Services, upload_id: str, error: PartsLost) -> ClientError:
    """The error for a client, if the store has lost bytes of its upload; it cannot be continued."""
    try:
        kept = await services.sessions.read(upload_id)
    except UploadNotFound:
        return SessionTaken("the upload has ended in the meantime")
    if not kept.session.relies_on(error.name):
        return SessionTaken("another request has continued the upload")
    log.warning("session.parts_lost", upload_id=upload_id, name=error.name)
    await asyncio.shield(_invalidate(services, upload_id))
    return SessionEnded("the store has lost bytes of the upload: send it again")


async def _append(
    receiving: Receiving,
    kept: Kept,
    asked: Append,
    length: int | None,
    told: asyncio.Event,
    memory: Holding,
) -> Kept:
    services = receiving.services
    form = _form_of(kept.session)
    appender = Appender(
        services.backends.store,
        services.sessions,
        kept,
        memory,
        whole=asked.checksum is not None,
        sha256=services.settings.hash is Hash.SHA256,
    )
    if form is not None:
        appender.around = form.around
    if length is None or length > UNMARKED:
        await appender.begin()
    broken = await _read(receiving, appender, kept.session, asked, told, form)
    ending = _keep(receiving, appender, asked, form, broken)
    kept, broken = await asyncio.shield(asyncio.create_task(ending))
    is_answer = form is not None and isinstance(broken, _REFUSED)
    mark(receiving, kept.session, is_answer=is_answer)
    if broken is not None:
        raise broken
    return kept


def _form_of(session: Session) -> ResumedForm | None:
    """The reader of the form that contains the session's file, if there is one."""
    if session.form is None:
        return None
    return ResumedForm(session, session.form)


async def _read(
    receiving: Receiving,
    appender: Appender,
    session: Session,
    asked: Append,
    told: asyncio.Event,
    form: ResumedForm | None,
) -> BaseException | None:
    """Have the appender read the body; returns the error that stopped it."""
    hashed = hashlib.new(asked.checksum.algorithm) if asked.checksum is not None else None
    try:
        await ask_for_body(receiving.request)
        for data in () if form is None else form.receive_data(b""):
            await appender.write(data)
        async with aclosing(_body(receiving, session, asked, told)) as body:
            async for chunk in body:
                if hashed is not None:
                    hashed.update(chunk)
                for data in (chunk,) if form is None else form.receive_data(chunk):
                    await appender.write(data)
        if asked.checksum is not None and hashed is not None:
            check_digest(asked.checksum, hashed.digest())
    except BaseException as error:  # noqa: BLE001 - it is raised once what came is durable
        return error
    return None


async def _keep(
    receiving: Receiving,
    appender: Appender,
    asked: Append,
    form: ResumedForm | None,
    broken: BaseException | None,
) -> tuple[Kept, BaseException | None]:
    """Make durable what arrived, unless none of it may count; returns the error to raise then.

    A form that is refused by its content ends the session. Raises SessionTaken, StoreUnavailable.
    """
    if broken is None or not (asked.checksum is not None or isinstance(broken, _REFUSED)):
        conclude = _conclusion(receiving, asked, appender, form, whole=broken is None)
        try:
            return await appender.commit(conclude), broken
        except _REFUSED as error:
            broken = error
    kept = await appender.abandon()
    if form is not None and isinstance(broken, _REFUSED):
        services = receiving.services
        await give_up(services.backends, services.sessions, kept, Phase.INVALID)
    return kept, broken


def _conclusion(
    receiving: Receiving,
    asked: Append,
    appender: Appender,
    form: ResumedForm | None,
    *,
    whole: bool,
) -> Callable[[Session], Session]:
    """The session with all that has arrived; `whole`: the body has arrived to its end."""
    services = receiving.services

    def conclude(session: Session) -> Session:
        session = _renewed(session, receiving)
        if whole:
            session = with_length(session, asked.length)
            if asked.complete:
                session = with_length(session, session.offset)
        if not session.is_whole:
            return session
        if form is None:
            file = described(session, sha256=appender.sha256)
        else:
            session, file = _with_fields(session, receiving, form.finish())
            file = replace(file, sha256=appender.sha256)
        return completed(session, file, services.backends, datetime.now(UTC))

    return conclude


def _with_fields(session: Session, receiving: Receiving, form: Form) -> tuple[Session, File]:
    """The session with the parts next to its file, and the file.

    Raises InvalidField, AnotherUser.
    """
    endpoint = receiving.services.route_of(session.upload.target.path).endpoint
    fields = form.fields
    if endpoint is not None:
        fields = fields_of(endpoint, fields, receiving.principal)
    return replace(session, upload=replace(session.upload, fields=fields)), form.file


async def _body(
    receiving: Receiving, session: Session, asked: Append, told: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """The chunks of the body, until another request wants to continue the session.

    Then raises SessionTaken, after the bytes that have arrived; raises what `read_body` raises.
    """
    request, services, principal, _ = receiving
    known = with_length(session, asked.length).length
    limit = (known if known is not None else session.limit) - session.offset
    ends = principal.expires
    until = None if ends is None else ends + services.settings.auth_upload_grace
    received = 0
    try:
        async with aclosing(read_body(request, services, limit=limit, until=until)) as body:
            async for chunk in _until(told, body):
                received += len(chunk)
                yield chunk
    except (SessionTaken, UploadAborted):
        if rest := unread(request.content)[: limit - received]:
            yield rest
        raise


async def _until(
    told: asyncio.Event, body: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """The chunks of the body; raises SessionTaken once the event is set."""
    waiting = asyncio.create_task(told.wait())
    try:
        while True:
            reading = asyncio.ensure_future(anext(body, b""))
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                raise SessionTaken("another request is continuing the upload")
            if not (chunk := reading.result()):
                return
            yield chunk
    finally:
        waiting.cancel()


def _check_room(session: Session, length: int | None) -> None:
    """Refuse a body of that length before it is read, if it cannot all be the file's.

    Also any body of a file that will be too large, which its client may say only now.
    """
    what = "a file" if session.form is None else "a form"
    if session.length is not None and session.length > session.limit:
        raise FileTooLarge(f"{what} may have at most {session.limit} bytes here")
    if length is None:
        return
    end = session.offset + length
    if session.length is not None and end > session.length:
        raise InconsistentUploadLength(
            f"the upload has {session.length} bytes, but this request ends at byte {end}"
        )
    if end > session.limit:
        raise FileTooLarge(f"{what} may have at most {session.limit} bytes here")


def _renewed(session: Session, receiving: Receiving) -> Session:
    """The session with the token that came last, which is the one that lives longest."""
    request, services, principal, _ = receiving
    ends = principal.expires
    upload = replace(
        session.upload,
        authorization=services.backends.sealed(request.headers.get("Authorization")),
        token_until=None if ends is None else datetime.fromtimestamp(ends, UTC),
    )
    return replace(session, upload=upload)


async def conclude(receiving: Receiving, kept: Kept, *, again: bool = False) -> web.Response:
    """The answer to the request after which the session is complete.

    Whatever happens here, the upload is accepted: that the session is complete is durable.
    `again`: another request has tried before.
    """
    request, services, _, dialect = receiving
    session = kept.session
    request[PARTIAL] = False
    mark(receiving, session)
    upload = await end(services, kept, again=again)
    if dialect.name == TUS.name and session.wait <= 0:
        return replied(receiving, session)
    if upload is None:
        return answer_to(request, session.upload)
    return await answer_accepted(receiving, upload, session.wait)


async def answer_accepted(receiving: Receiving, upload: Upload, wait: float) -> web.Response:
    """The answer for an accepted upload, once its client has waited for its end.

    Clients of tus would mistake an error for a failed transfer, so they get the resource.
    """
    request, services, _, dialect = receiving
    response = await answer_hosted(request, services, upload, wait)
    if dialect.name == TUS.name and response.status >= _ERROR:
        upload = await services.backends.ledger.find_ended(upload.id)
        return web.json_response(resource_of(upload))
    return response


async def end(services: Services, kept: Kept, *, again: bool) -> Upload | None:
    """The upload that a complete session becomes; None if a worker has to make it of it.

    `again`: another process may have done so. Raises UploadSuperseded, SessionEnded.
    """
    try:
        budget = services.external.budget
        ending = end_session(services.backends, services.sessions, budget, kept, again=again)
        return await asyncio.shield(ending)
    except (StoreUnavailable, BudgetExhausted) as error:
        log.warning("session.not_finished", upload_id=kept.session.id, error=repr(error))
        services.backends.queue.send(Step.RESUME, kept.session.id)
        return None


def replied(receiving: Receiving, session: Session) -> web.Response:
    """The answer to a request that has brought a part, or the last bytes."""
    reply = receiving.dialect.appended(report_of(receiving, session))
    return web.Response(status=reply.status, headers=reply.headers)


def report_of(receiving: Receiving, session: Session) -> Report:
    """What answers report about the session."""
    return Report(
        offset=session.offset,
        length=session.length,
        complete=session.phase is Phase.COMPLETE,
        location=_location(receiving, session.id),
        expires_in=receiving.services.settings.resume_for,
        at=datetime.now(UTC),
        limits=Limits(session.limit),
        metadata=session.metadata,
    )


def report_of_upload(receiving: Receiving, upload: Upload) -> Report:
    """What answers report about a session that became an accepted upload."""
    size = upload.file.size if upload.came_as is None else upload.came_as
    return Report(
        offset=size,
        length=size,
        complete=True,
        location=_location(receiving, upload.id),
        expires_in=0.0,
        at=datetime.now(UTC),
        limits=Limits(size),
    )


def _location(receiving: Receiving, upload_id: str) -> str:
    """An absolute URL, since some clients of the draft understand no other."""
    base = str(receiving.services.settings.public_url).rstrip("/")
    return f"{base}/gateway/uploads/{upload_id}"


def mark(receiving: Receiving, session: Session, *, is_answer: bool = False) -> None:
    """Have every answer to the request report the session's state.

    `is_answer`: what the upload was begun for is answered, however little of it came.
    """
    report = report_of(receiving, session)
    if is_answer:
        report = changed(report, complete=True)
    receiving.request[MARKS] = receiving.dialect.marks(report)
