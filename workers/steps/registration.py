"""`register`: ChatKitty is given the reference to the file, once.

An attempt is durable before its request is sent. Whoever finds one whose outcome is unknown looks
for the message before sending another, and waits while the last one may still be under way.
"""

import random
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from gateway.errors import PreconditionFailed, UpstreamError
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.ledger import Entry
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Attempt, Fault, State, Upload
from gateway.upstream.answer import Answer, Refusal
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Endpoint, recognise
from gateway.upstream.paths import api_path
from gateway.upstream.reconcile import find_registered
from gateway.upstream.reference import ExternalFile, reference_body
from gateway.upstream.retry import GiveUp, Reconcile, after_failure
from workers.runtime import Services
from workers.steps.ending import end

log = get_logger(__name__)

_UNAUTHORIZED = frozenset({401, 403})

_MARGIN = timedelta(seconds=30)
"""Beyond the upstream's timeout, for the token and for the record: then an attempt is over."""


async def register(upload_id: str, services: Services) -> None:
    """Register an inspected upload, or find out that it is registered."""
    entry = await services.backends.ledger.open(upload_id)
    if entry is not None and entry.upload.state is State.INSPECTED:
        await register_entry(entry, services)


async def register_entry(entry: Entry, services: Services) -> None:
    """Register an inspected upload whose state need not have been written yet.

    It is written with the attempt, which spares the store a request.
    """
    attempt = entry.upload.attempt
    now = datetime.now(UTC)
    if attempt is not None and now < attempt.until:
        delay = (attempt.until - now).total_seconds()
        services.backends.queue.send(Step.REGISTER, entry.upload.id, delay)
        return
    await Registration(services, entry).run(now)


class Registration:
    """One attempt at registering one upload."""

    def __init__(self, services: Services, entry: Entry) -> None:
        self._backends = services.backends
        self._entry = entry

    async def run(self, now: datetime) -> None:
        """Claim the attempt, find or make the message, and write down what came of it."""
        before = self._entry.upload.attempt
        try:
            await self._claim(before, now)
        except PreconditionFailed:
            log.info("registration.taken")  # another worker is at it
            return
        try:
            answer = await self._find_or_post(before)
        except UpstreamError as error:
            await self._after(error)
            return
        await self._end(State.REGISTERED, answer, None)

    async def _claim(self, before: Attempt | None, now: datetime) -> None:
        """Make the attempt durable, as nobody else has since the record was read."""
        limit = timedelta(seconds=self._backends.settings.upstream_timeout)
        attempt = Attempt(
            count=before.count + 1 if before else 1,
            first_at=before.first_at if before else now,
            until=now + limit + _MARGIN,
            unknown=True,
        )
        await self._save(replace(self._entry.upload, attempt=attempt))

    async def _find_or_post(self, before: Attempt | None) -> Answer:
        upload = self._entry.upload
        endpoint = self._endpoint(upload)
        credentials = self._backends.credentials(upload)
        if endpoint is None or credentials is None or upload.url is None:
            raise UpstreamError("the record cannot be registered with", retryable=False)
        if before is not None and before.unknown:
            found = await self._find(endpoint, upload.url, before, credentials)
            if found is not None:
                return found
        body = reference_body(endpoint, _external_file(upload, upload.url), upload.fields)
        return await self._backends.chatkitty.register(endpoint, body, credentials)

    async def _find(
        self, endpoint: Endpoint, url: str, before: Attempt, credentials: Credentials
    ) -> Answer | None:
        chatkitty = self._backends.chatkitty
        found = await find_registered(chatkitty, endpoint, url, before.first_at, credentials)
        log.info("registration.reconciled", found=found is not None)
        return found

    async def _after(self, error: UpstreamError) -> None:
        attempt = self._entry.upload.attempt
        count = attempt.count if attempt else 1
        decision = after_failure(error, count, random.random())  # noqa: S311 - jitter, no secret
        log.warning("registration.failed", attempt=count, error=str(error))
        if isinstance(decision, GiveUp):
            await self._give_up(error)
            return
        unknown = isinstance(decision, Reconcile)
        await self._release(unknown=unknown)
        self._backends.queue.send(Step.REGISTER, self._entry.upload.id, decision.after)

    async def _release(self, *, unknown: bool) -> None:
        """Let the next attempt begin: nothing of this one is under way any more."""
        upload = self._entry.upload
        if upload.attempt is not None:
            over = replace(upload.attempt, until=datetime.now(UTC), unknown=unknown)
            await self._save(replace(upload, attempt=over))

    async def _give_up(self, error: UpstreamError) -> None:
        if isinstance(error, Refusal) and self._is_the_clients(error):
            await self._backends.store.delete(keys.incoming(self._entry.upload.id))
            await self._end(State.REJECTED, error.answer, Fault("upstream-refused", str(error)))
            return
        await self._end(State.FAILED, None, Fault("registration-failed", str(error)))

    def _is_the_clients(self, refusal: Refusal) -> bool:
        """Whether the client has to mend what was refused: not where our own token was."""
        ours = self._backends.own_token is not None and refusal.status in _UNAUTHORIZED
        return not refusal.retryable and not ours

    async def _end(self, state: State, answer: Answer | None, fault: Fault | None) -> None:
        answered = replace(self._entry.upload, result=answer)
        self._entry = await end(self._backends, self._entry, answered, state, fault)

    async def _save(self, upload: Upload) -> None:
        self._entry = await self._backends.ledger.save(self._entry, upload)

    def _endpoint(self, upload: Upload) -> Endpoint | None:
        return recognise(api_path(upload.target.path, str(self._backends.settings.upstream_url)))


def _external_file(upload: Upload, url: str) -> ExternalFile:
    file = upload.file
    return ExternalFile(
        url=url,
        name=file.name,
        content_type=file.content_type or "application/octet-stream",
        size=file.size,
    )
