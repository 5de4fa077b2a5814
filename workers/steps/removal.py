"""`remove`: carries out or drops an order to remove a hosted file.

The order is dropped if its message or picture still names the file, if something else names it, or
if ChatKitty refuses to say. While ChatKitty is down, the order waits. Each part of this step may be
repeated.
"""

from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from gateway import crash
from gateway.backends import Backends
from gateway.choices import Delivery
from gateway.errors import ObjectNotFound, UpstreamError, UpstreamRefused
from gateway.metrics.catalogue import REMOVALS
from gateway.records.bucket import Entry
from gateway.records.expiry import Expiries
from gateway.records.ordering import Doomed, application_of
from gateway.records.removals import Order, Placed, Removals, uploads_in
from gateway.telemetry import bind_ids, get_logger
from gateway.uploads import keys
from gateway.uploads.attempts import CLOCK_STEP, under_way_for
from gateway.uploads.lifecycle import Step, supersedes
from gateway.uploads.record import CANCELLED, Cause, Fault, Removed, State, Upload, is_erased
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import Credentials
from gateway.upstream.reconcile import TooMany
from workers.runtime import WorkerServices
from workers.steps.ending import conclude
from workers.steps.namers import Search, picture_user
from workers.steps.resumption import resume
from workers.steps.schedule import later
from workers.steps.sessions import cancel_session

log = get_logger(__name__)

_SOON: Final = 2.0
_LOOK_AGAIN: Final = 15.0
_SETTLING: Final = 60.0
"""Added to the upstream's timeout: what still exists after that was not deleted or replaced."""

_CANCELS: Final = frozenset({Cause.SUBJECT, Cause.OPERATOR})
"""For these causes, a pending upload is ended before it is registered with ChatKitty."""

_UNASKED: Final = frozenset({Cause.RETENTION, Cause.OPERATOR})
"""For these causes, ChatKitty is not asked."""

_TAKEN_BACK: Final = Fault(CANCELLED.slug, "cancelled before it was registered")
_GONE: Final = 404


class NotYet(Exception):
    """The order must be tried again after that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


async def remove(order_id: str, services: WorkerServices) -> None:
    """Carry out the order, if it still exists."""
    removals = Removals(services.backends.store)
    placed = await removals.open(order_id)
    if placed is None:
        return
    bind_ids(upload_id=placed.order.upload_id)
    try:
        placed = await _with_application(placed, services.backends)
        await _carry_out(placed, services)
    except NotYet as wait:
        await later(services, Step.REMOVE, order_id, wait.seconds)
    else:
        await removals.done(placed)


async def _with_application(placed: Placed, backends: Backends) -> Placed:
    """The order with the application in which ChatKitty is asked about it, if that is known.

    It is stored in the order before anything is decided. The order may be carried out much later,
    with credentials of another application, in which nothing names the file. Raises NotYet.
    """
    order = placed.order
    credentials = backends.credentials(order.authorization)
    if order.application is not None or order.cause in _UNASKED or credentials is None:
        return placed
    if (wait := await backends.breaker.permit()) > 0:
        raise NotYet(wait)
    try:
        application = await application_of(backends.chatkitty, credentials)
    except UpstreamError as error:
        log.warning("removal.postponed", error=str(error))
        raise NotYet(max(_LOOK_AGAIN, error.retry_after)) from None
    await backends.breaker.succeeded()
    if application is None:
        return placed
    return await Removals(backends.store).amend(placed, replace(order, application=application))


async def _carry_out(placed: Placed, services: WorkerServices) -> None:
    """Carry out the order, until nothing is left to do. Raises NotYet."""
    order, backends = placed.order, services.backends
    if order.cause is Cause.OPERATOR and not await cancel_session(backends, order.upload_id):
        raise NotYet(_SOON)
    entry = await _ended(order, services)
    if order.cause is Cause.OPERATOR:
        await _erase(order, entry, backends)
        return
    if entry is None:
        return
    if entry.upload.removed is None:
        reason = await _why_kept(placed, entry.upload, backends)
        if reason is not None:
            REMOVALS.add(order.cause, "kept")
            log.warning("removal.kept", cause=order.cause, reason=reason)
            return
        await backends.ledger.mark_removed(entry, Removed(datetime.now(UTC), order.cause))
        crash.point(crash.Point.REMOVAL_RECORDED)
    await backends.ledger.forget_file(order.upload_id)
    crash.point(crash.Point.REMOVAL_FILE_REMOVED)
    if order.cause is not Cause.RETENTION:  # else the order came from its mark, which is gone
        await Expiries(backends.store).drop(entry.upload)
    REMOVALS.add(order.cause, "removed")
    log.info("removal.done", cause=order.cause)


async def _erase(order: Order, entry: Entry | None, backends: Backends) -> None:
    """Erase all personal data of the upload, even if its record is gone."""
    if entry is not None and not is_erased(entry.upload):
        await Expiries(backends.store).drop(entry.upload)
        await backends.ledger.erase(entry)
        crash.point(crash.Point.REMOVAL_ERASED)
    await backends.ledger.forget_file(order.upload_id)
    await backends.store.delete(keys.dead(order.upload_id))
    await backends.outbox.forget_dead(order.upload_id)
    if order.subject is not None:
        await backends.redis.zrem(keys.of_subject(order.subject), order.upload_id)
        await backends.redis.delete(*keys.quota(order.subject))
    REMOVALS.add(order.cause, "removed")
    log.info("removal.done", cause=order.cause)


async def _ended(order: Order, services: WorkerServices) -> Entry | None:
    """The finished upload; a pending one is first finished. Raises NotYet."""
    ledger = services.backends.ledger
    try:
        ended = await ledger.open_ended(order.upload_id)
    except ObjectNotFound:
        ended = None
    pending = await ledger.open(order.upload_id)
    if pending is None:
        return ended
    if ended is not None and not supersedes(pending.upload, ended.upload):
        # A process that died at the end left this record; a purge must remove it, since it has a
        # subject.
        await ledger.forget_pending(order.upload_id)
        return ended
    await _bring_to_end(pending, services, cancels=order.cause in _CANCELS)
    raise NotYet(_SOON)


async def _bring_to_end(entry: Entry, services: WorkerServices, *, cancels: bool) -> None:
    """Run the upload's next step; or cancel it, if ChatKitty cannot know of it."""
    upload = entry.upload
    if (seconds := under_way_for(upload.attempt, entry.age)) > 0:
        raise NotYet(seconds + CLOCK_STEP)
    untouched = upload.state in {State.STORED, State.INSPECTED} and upload.fault is None
    if cancels and untouched and upload.delivery is Delivery.EXTERNAL and upload.attempt is None:
        await conclude(services.backends, entry, upload, _TAKEN_BACK)
    else:
        await resume(upload.id, services)


async def _why_kept(placed: Placed, upload: Upload, backends: Backends) -> str | None:
    """The reason why the file must stay; None if it may be removed. Raises NotYet."""
    if placed.order.cause is Cause.RETENTION:
        return "its route keeps files permanently" if upload.terms.file_retention is None else None
    path = placed.order.path
    if path is not None and path.rpartition("/")[2] != str(_own(placed.order, upload, backends)):
        return f"the request named a {placed.order.cause} other than the file's own"
    if (credentials := backends.credentials(placed.order.authorization)) is None:
        return "there is no token for requests to ChatKitty"
    if (wait := await backends.breaker.permit()) > 0:
        raise NotYet(wait)
    try:
        if not await _is_asked_in(placed.order.application, backends.chatkitty, credentials):
            await backends.breaker.succeeded()
            return "the gateway's credentials belong to another application than the file"
        return await _who_names(placed, upload, backends, credentials)
    except UpstreamError as error:
        if not error.retryable or isinstance(error, TooMany):
            await backends.breaker.succeeded()
            return str(error)
        log.warning("removal.postponed", error=str(error))
        raise NotYet(max(_LOOK_AGAIN, error.retry_after)) from None


async def _who_names(
    placed: Placed, upload: Upload, backends: Backends, credentials: Credentials
) -> str | None:
    """A description of what names the file; None if nothing does. Raises NotYet, UpstreamError."""
    order = placed.order
    settled = placed.age >= backends.settings.upstream_timeout + _SETTLING
    if await _stands(order, backends, credentials):
        reason: str | None = f"its own {order.cause} still names the file"
    else:
        own_picture = order.cause is Cause.SUBJECT
        reason = await Search(upload, backends, credentials, own_picture=own_picture).find()
        settled = settled or order.cause is not Cause.PICTURE
    await backends.breaker.succeeded()  # it may be the only request that the breaker allows
    # The request may still be in progress, or its effect not visible yet.
    if reason is not None and not settled:
        raise NotYet(_LOOK_AGAIN if placed.age > _LOOK_AGAIN else _SOON)
    return reason


async def _is_asked_in(
    application: int | None, chatkitty: ChatKitty, credentials: Credentials
) -> bool:
    """Whether ChatKitty is asked in that application; true if the order has none.

    Raises UpstreamError.
    """
    return application is None or await application_of(chatkitty, credentials) == application


def _own(order: Order, upload: Upload, backends: Backends) -> int | None:
    """The id of the message or user that the file was registered for."""
    if order.cause is Cause.PICTURE:
        return picture_user(upload, backends)
    return upload.message_id


async def _stands(order: Order, backends: Backends, credentials: Credentials) -> bool:
    """Whether the resource that was to be deleted or replaced still names the file."""
    if order.path is None:
        return False
    try:
        document = await backends.chatkitty.get_json(order.path, {}, credentials)
    except UpstreamRefused as refused:
        if refused.status == _GONE:
            return False
        raise
    url = Doomed(order.cause, order.path).url_in(document)
    return order.cause is Cause.MESSAGE or order.upload_id in uploads_in(url, backends.ring)
