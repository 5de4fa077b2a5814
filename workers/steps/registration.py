"""`register`: sends ChatKitty the reference to the file, once.

An attempt is durable before its request is sent, by a conditional write, which only one worker can
win. The attempt is also a lease: no other worker tries before it expires, and its holder sends
nothing after it might have. A worker that finds an attempt with an unknown outcome looks for the
message before it sends another request, and looks again until ChatKitty would list the message if
there were one.

A task that comes too early does nothing: another one is on its way, or the sweeper sends one.
"""

import random
import time
from datetime import UTC, datetime

from msgspec.structs import replace

from gateway import crash
from gateway.answer import Answer, Refusal
from gateway.errors import ObjectNotFound, PreconditionFailed, UpstreamError
from gateway.metrics.catalogue import ATTEMPTS, PHASE_SECONDS
from gateway.records.bucket import Entry
from gateway.records.ordering import order_for, replaced_at
from gateway.records.removals import Removals
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.attempts import CLOCK_STEP, SEND_SECONDS, carried_over, is_due, lease_of
from gateway.uploads.lifecycle import Step, supersedes
from gateway.uploads.record import FILE_LOST, NOT_REGISTERED, Attempt, Fault, State, Upload
from gateway.upstream import retry
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Endpoint, recognise
from gateway.upstream.paths import api_path
from gateway.upstream.reconcile import find_registered
from gateway.upstream.reference import ExternalFile, reference_body
from workers.runtime import WorkerServices
from workers.steps.ending import carry_out, conclude, end
from workers.steps.opening import open_hosted
from workers.steps.schedule import later

log = get_logger(__name__)

_UNAUTHORIZED = frozenset({401, 403})

_SPREAD = 10.0
"""Uploads that wait for the upstream return at random within this time."""


async def register(upload_id: str, services: WorkerServices) -> None:
    """Register an inspected upload, or find out that it is registered."""
    entry = await open_hosted(upload_id, services)
    if entry is not None and entry.upload.state is State.INSPECTED:
        await register_entry(entry, services, written=True)


async def register_entry(entry: Entry, services: WorkerServices, *, written: bool) -> None:
    """Register an inspected upload; `written`: whether its state is already stored.

    If not, it is written together with the attempt, which saves a request to the store. If the
    upload has a fault, a process that stopped early has rejected or cancelled it: then this
    finishes that.
    """
    if entry.upload.fault is not None:
        await _finish_ending(entry, services)
        return
    if not is_due(entry.upload.attempt, entry.age):
        return
    wait = await services.backends.breaker.permit()
    if wait > 0:
        if not written:
            await services.backends.ledger.save(entry, entry.upload)
        delay = wait + random.uniform(0, _SPREAD)  # noqa: S311 - jitter, no secret
        await later(services, Step.REGISTER, entry.upload.id, delay)
        return
    await Registration(services, entry, inspected_before=written).run()


async def _finish_ending(entry: Entry, services: WorkerServices) -> None:
    backends, upload = services.backends, entry.upload
    ended = await backends.ledger.ended(upload.id)
    if ended is not None and not supersedes(upload, ended):
        await backends.ledger.forget_pending(upload.id)
        return
    await carry_out(backends, entry)


class NotListedYet(Exception):
    """The message was not found, but it may exist without being listed yet.

    The next search uses `attempt`.
    """

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt


class FileLost(Exception):
    """The file is gone, so ChatKitty cannot get a reference to it."""


class Registration:
    """One attempt to register an upload; `inspected_before`: an earlier task has inspected it."""

    def __init__(self, services: WorkerServices, entry: Entry, *, inspected_before: bool) -> None:
        self._services = services
        self._backends = services.backends
        self._entry = entry
        self._inspected_before = inspected_before
        self._send_by = 0.0
        self._no_other_sent = False  # no earlier attempt can have made the message any more
        self._replaced: str | None = None

    async def run(self) -> None:
        """Claim the attempt, find or create the message, and record the result."""
        try:
            await self._attempt(self._entry.upload.attempt, self._entry.age)
        except PreconditionFailed:
            log.info("registration.taken")  # another worker is registering it

    async def _attempt(self, before: Attempt | None, age: float) -> None:
        await self._claim(before)
        crash.point(crash.Point.REGISTER_CLAIMED)
        try:
            answer = await self._find_or_post(before, age)
        except NotListedYet as unlisted:
            await self._release(unlisted.attempt)
            return
        except FileLost:
            upload = self._entry.upload
            self._entry = await conclude(self._backends, self._entry, upload, FILE_LOST)
            return
        except UpstreamError as error:
            await self._after(error)
            return
        ATTEMPTS.add("registered")
        crash.point(crash.Point.REGISTER_ACTED)
        await self._backends.breaker.succeeded()
        registered = replace(self._entry.upload, result=answer)
        self._entry = await end(self._backends, self._entry, registered, State.REGISTERED)
        if self._replaced is not None:
            self._backends.queue.send(Step.REMOVE, self._replaced)

    async def _claim(self, before: Attempt | None) -> None:
        """Make the attempt durable, unless another worker has written the record since."""
        self._send_by = time.monotonic() + SEND_SECONDS
        attempt = Attempt(
            count=before.count + 1 if before else 1,
            first_at=before.first_at if before else datetime.now(UTC),
            unknown=True,
            lease=lease_of(self._backends.exchange_seconds),
        )
        await self._save(replace(self._entry.upload, attempt=attempt))

    async def _find_or_post(self, before: Attempt | None, age: float) -> Answer:
        upload = self._entry.upload
        endpoint = self._endpoint(upload)
        credentials = self._backends.credentials(upload.authorization)
        if endpoint is None or upload.url is None:
            raise UpstreamError(
                "the record names no endpoint to register the file with", retryable=False
            )
        if credentials is None:
            raise UpstreamError(
                "the record holds no token, or the worker cannot decrypt it: its GATEWAY_SECRET_KEY"
                " must be the gateway's",
                retryable=False,
            )
        self._no_other_sent = before is None or not before.unknown
        if before is not None and before.unknown and not endpoint.is_idempotent:
            found = await self._find(endpoint, upload.url, credentials)
            if found is not None:
                return found
            if age < before.settling + CLOCK_STEP:
                left = carried_over(before, age)
                pause = min(retry.LOOK_AGAIN, left.settling + CLOCK_STEP)
                raise NotListedYet(replace(left, pause=pause))
            await self._claim(before)  # the search may have taken long
            self._no_other_sent = True
        await self._check_file()
        await self._order_replaced(endpoint, credentials)
        body = reference_body(endpoint, _external_file(upload, upload.url), upload.fields)
        started = time.monotonic()
        answer = await self._backends.chatkitty.register(
            endpoint, body, credentials, send_by=self._send_by
        )
        PHASE_SECONDS.of(upload.delivery, "register").observe(time.monotonic() - started)
        return answer

    async def _order_replaced(self, endpoint: Endpoint, credentials: Credentials) -> None:
        """Order the removal of the file of the display picture that is about to be replaced."""
        upload = self._entry.upload
        doomed = replaced_at(endpoint) if upload.terms.removes_replaced else None
        if doomed is None:
            return
        order = await order_for(
            self._backends.chatkitty, self._backends.ring, doomed, credentials, upload.authorization
        )
        if order is not None and order.upload_id != upload.id:
            self._replaced = await Removals(self._backends.store).place(order)
            crash.point(crash.Point.REMOVAL_ORDERED)

    async def _check_file(self) -> None:
        """Raises FileLost if the file has disappeared, given some time since its inspection."""
        if self._inspected_before:
            try:
                await self._backends.store.head(keys.incoming(self._entry.upload.id))
            except ObjectNotFound:
                raise FileLost from None

    async def _find(self, endpoint: Endpoint, url: str, credentials: Credentials) -> Answer | None:
        chatkitty, since = self._backends.chatkitty, self._entry.upload.taken_at
        found = await find_registered(chatkitty, endpoint, url, since, credentials)
        log.info("registration.reconciled", found=found is not None)
        return found

    async def _after(self, error: UpstreamError) -> None:
        attempt = self._entry.upload.attempt
        if attempt is None:
            return
        crash.point(crash.Point.REGISTER_FAILED)
        ATTEMPTS.add(_outcome_of(error))
        log.warning("registration.failed", attempt=attempt.count, error=str(error))
        if not error.retryable:
            await self._backends.breaker.succeeded()
            await self._give_up(error)
            return
        # A failure of an upstream that is down does not count as the upload's.
        away = await self._backends.breaker.failed(error.retry_after)
        count = attempt.count - 1 if away else attempt.count
        jitter = random.random()  # noqa: S311 - no secret
        decision = retry.after_failure(error, max(1, count), jitter)
        waited = (datetime.now(UTC) - attempt.first_at).total_seconds()
        if isinstance(decision, retry.GiveUp) or waited > retry.GIVE_UP_AFTER:
            await self._give_up(error)
            return
        settling = decision.settling if isinstance(decision, retry.Reconcile) else 0.0
        await self._release(
            Attempt(
                count=count,
                first_at=attempt.first_at,
                unknown=settling > 0,
                pause=decision.after,
                settling=settling,
            )
        )

    async def _release(self, attempt: Attempt) -> None:
        """Let the next attempt begin after its pause: this one is over."""
        await self._save(replace(self._entry.upload, attempt=attempt))
        delay = attempt.pause + CLOCK_STEP
        await later(self._services, Step.REGISTER, self._entry.upload.id, delay)

    async def _give_up(self, error: UpstreamError) -> None:
        upload, fault = self._entry.upload, Fault(NOT_REGISTERED, str(error))
        if isinstance(error, Refusal) and self._is_the_clients(error):
            upload = replace(upload, result=error.answer)
            fault = Fault("upstream-refused", str(error))
        if upload.attempt is not None and self._no_other_sent and not error.outcome_unknown:
            # Nothing is under way, so an operator can retry at once.
            upload = replace(upload, attempt=replace(upload.attempt, unknown=False, lease=0.0))
        self._entry = await conclude(self._backends, self._entry, upload, fault)

    def _is_the_clients(self, refusal: Refusal) -> bool:
        """Whether the client must fix what was refused: not if it was the gateway's own token."""
        ours = self._backends.own_token is not None and refusal.status in _UNAUTHORIZED
        return not refusal.retryable and not ours

    async def _save(self, upload: Upload) -> None:
        self._entry = await self._backends.ledger.save(self._entry, upload)

    def _endpoint(self, upload: Upload) -> Endpoint | None:
        return recognise(api_path(upload.target.path, str(self._backends.settings.upstream_url)))


def _outcome_of(error: UpstreamError) -> str:
    if error.outcome_unknown:
        return "unknown"
    return "refused" if isinstance(error, Refusal) else "unavailable"


def _external_file(upload: Upload, url: str) -> ExternalFile:
    file = upload.file
    return ExternalFile(
        url=url,
        name=file.name,
        content_type=file.content_type or "application/octet-stream",
        size=file.size,
    )
