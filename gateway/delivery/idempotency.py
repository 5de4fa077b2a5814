"""An upload with an idempotency key: however often it is sent, it is executed once.

The request that holds the key's claim has its body read. Any other request with the key gets the
upload that the key stands for, or takes the claim over once it is certain that this upload was not
and will not be accepted. A relay with an unknown outcome is never sent a second time. A session
that is complete is an accepted upload, whichever request finds it.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from gateway import crash
from gateway.backends import Backends
from gateway.choices import Delivery
from gateway.delivery.admitted import Admitted
from gateway.delivery.ending import end_session
from gateway.errors import (
    ClientError,
    ObjectNotFound,
    PreconditionFailed,
    RecordNotKept,
    SessionEnded,
    SessionTaken,
    StoreUnavailable,
    UploadInProgress,
    UploadNotFound,
    UploadSuperseded,
    UpstreamError,
)
from gateway.limits.budget import Budget
from gateway.records import orphans
from gateway.records.bucket import Entry
from gateway.records.claims import Claim, Claims, Held
from gateway.records.heartbeats import is_gone, present_in_bucket
from gateway.records.spare import find_spare, recovered
from gateway.resumable.finishing import give_up
from gateway.resumable.session import Phase
from gateway.resumable.sessions import Kept, Sessions
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import advance
from gateway.uploads.record import Fault, State, Upload, abandoned
from gateway.upstream import retry

log = get_logger(__name__)

_LOOK_SECONDS: Final = 0.25
_COME_BACK: Final = 2.0


class Unknown(Exception):
    """The key stands for a relay with an unknown outcome."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(upload.id)
        self.upload = upload


@dataclass(frozen=True, slots=True)
class KeyedAttempt:
    """A relay under a claim, and its record."""

    held: Held
    entry: Entry


@dataclass(frozen=True, slots=True)
class Once:
    """The services that it needs."""

    backends: Backends
    claims: Claims
    sessions: Sessions
    budget: Budget

    async def claim(self, admitted: Admitted, key: str, patience: float) -> Held | Upload:
        """The claim, if the body is to be read, else the upload that the key stands for.

        If the first request is still in progress, wait for it for up to `patience` seconds. Raises
        IdempotencyKeyReused, UploadInProgress, StoreUnavailable, BudgetExhausted, and Unknown.
        """
        async with aclosing(self._looks(admitted, key, patience)) as looks:
            async for held, taken in looks:
                if taken:
                    return held
                if (found := await self._found(held, admitted)) is not None:
                    return found
        raise _in_progress()

    async def claim_session(
        self, admitted: Admitted, key: str, patience: float
    ) -> Held | Upload | Kept:
        """The same for a request that begins a session; the key may stand for one that is open.

        Raises what `claim` raises.
        """
        async with aclosing(self._looks(admitted, key, patience)) as looks:
            async for held, taken in looks:
                if taken:
                    return held
                kept = await self._session(held.claim.upload_id)
                if kept is not None and kept.session.phase is Phase.OPEN:
                    return kept
                if (found := await self._found(held, admitted)) is not None:
                    return found
        raise _in_progress()

    async def _looks(
        self, admitted: Admitted, key: str, patience: float
    ) -> AsyncGenerator[tuple[Held, bool], None]:
        """The claim that holds the key, and whether it is ours, until patience is at its end.

        Raises IdempotencyKeyReused, UploadInProgress, StoreUnavailable.
        """
        place = keys.claim(admitted.principal.subject, key)
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience
        while True:
            held, taken = await self.claims.take(place, _claim_of(admitted))
            if taken:
                crash.point(crash.Point.CLAIM_TAKEN)
            else:
                held.claim.check(admitted.target, admitted.content_length)
            yield held, taken
            if clock() > deadline:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _found(self, held: Held, admitted: Admitted) -> Held | Upload | None:
        """The upload that the key stands for, or the claim of one that will never be accepted.

        None if neither is known yet. Raises Unknown, StoreUnavailable, BudgetExhausted.
        """
        first = held.claim.upload_id
        if (settled := await self._settled(first) or await self._finished(first)) is not None:
            return settled
        return await self._take_over(held, admitted)

    async def begin(self, held: Held, admitted: Admitted) -> "KeyedAttempt":
        """Record a relay before its first byte is sent.

        Raises UploadSuperseded, StoreUnavailable.
        """
        entry = await self.backends.ledger.accept(admitted.receiving())
        crash.point(crash.Point.RELAY_BEGUN)
        return KeyedAttempt(held, entry)

    async def answered(
        self, attempt: "KeyedAttempt", status: int, headers: Mapping[str, str]
    ) -> None:
        """Follow up on the upstream's answer to the relay; a success has been recorded already."""
        if status in range(200, 300):
            return
        if retry.may_have_acted(status, asks_to_wait="Retry-After" in headers):
            await self._lose(attempt, f"ChatKitty answered {status}")
        else:
            await self._undo(attempt)

    async def broke(self, attempt: "KeyedAttempt", error: Exception) -> None:
        """Follow up on a relay that ended without an answer, or with one that was not recorded."""
        if isinstance(error, RecordNotKept):
            return  # the record may exist all the same; if not, the sweeper ends the upload
        if isinstance(error, UpstreamError) and error.outcome_unknown:
            await self._lose(attempt, str(error))
        elif isinstance(error, UpstreamError | ClientError):
            await self._undo(attempt)  # the upstream has not seen the end of the body

    async def _undo(self, attempt: "KeyedAttempt") -> None:
        """Remove all traces of a relay that did nothing."""
        with suppress(StoreUnavailable):
            await self.backends.ledger.forget_pending(attempt.entry.upload.id)
            await self.claims.release(attempt.held)

    async def _lose(self, attempt: "KeyedAttempt", detail: str) -> None:
        upload = outcome_unknown(attempt.entry.upload, detail)
        with suppress(StoreUnavailable):
            await self.backends.ledger.save(attempt.entry, upload)

    async def release(self, held: Held) -> None:
        """Free the key of a request that has done nothing, so that the next one starts afresh.

        If the store does not accept that, a later request takes the claim over as a dead one's.
        """
        with suppress(StoreUnavailable):
            await self.claims.release(held)

    async def _settled(self, upload_id: str) -> Upload | None:
        """The upload if it was accepted. Raises Unknown for a relay with an unknown outcome."""
        upload = await self.backends.ledger.find_in_bucket(upload_id)
        if upload is None or upload.state in {State.RECEIVING, State.ABORTED}:
            return None
        if upload.delivery is Delivery.RELAY and upload.result is None:
            raise Unknown(upload)
        return upload

    async def _session(self, upload_id: str) -> Kept | None:
        try:
            return await self.sessions.read(upload_id)
        except UploadNotFound:
            return None

    async def _finished(self, upload_id: str) -> Upload | None:
        """The upload of a complete session, whichever process was to make it one.

        Raises StoreUnavailable, BudgetExhausted.
        """
        kept = await self._session(upload_id)
        if kept is None or kept.session.phase is not Phase.COMPLETE:
            return None
        try:
            ending = end_session(self.backends, self.sessions, self.budget, kept, again=True)
            return await asyncio.shield(ending)
        except (UploadSuperseded, SessionEnded):
            return None

    async def _give_up(self, upload_id: str, admitted: Admitted) -> bool:
        """Whether it is certain from now on that the upload will never be accepted.

        Raises StoreUnavailable.
        """
        kept = await self._session(upload_id)
        if kept is None:
            dead = abandoned(upload_id, datetime.now(UTC))
            dead = replace(dead, subject=admitted.principal.subject, target=admitted.target)
            return await self.backends.ledger.fence(dead)
        phase = kept.session.phase
        if phase is Phase.COMPLETE:
            return False
        try:
            ending = Phase.INVALID if phase is Phase.OPEN else phase
            await give_up(self.backends, self.sessions, kept, ending)
        except SessionTaken:
            return False
        return True

    async def _adopt(self, upload_id: str) -> bool:
        """Resume an upload with a complete file but no record (lost, or never written).

        Whatever happened to it before, its client gets the answer to the first request and to no
        other. Returns whether the upload was resumed. Raises StoreUnavailable.
        """
        backends = self.backends
        try:
            spare = await find_spare(backends.store, backends.ring, upload_id)
        except ObjectNotFound:
            return False
        if spare is None:
            return False
        try:
            # A worker may have been about to send the reference only if the upload was accepted.
            accepted = await orphans.is_remembered(backends.redis, spare)
        except (RedisError, OSError) as error:
            log.warning("claim.redis_unavailable", error=repr(error))
            accepted = True
        again = recovered(spare, datetime.now(UTC), 0.0 if accepted else math.inf)
        with suppress(PreconditionFailed):  # another request has, or the gateway itself
            await backends.ledger.recover(again)
        log.info("claim.adopted", first=upload_id)
        return True

    async def _take_over(self, held: Held, admitted: Admitted) -> Held | Upload | None:
        """The claim of a request that died before its file was complete, else its upload.

        None if neither is known yet. Raises Unknown, StoreUnavailable.
        """
        try:
            gone = await is_gone(self.backends.redis, self.backends.store, held.claim.upload_id)
        except (RedisError, OSError) as error:
            log.warning("claim.redis_unavailable", error=repr(error))
            gone = held.claim.upload_id not in await present_in_bucket(self.backends.store)
        if not gone:
            return None
        upload = await self.backends.ledger.find_in_bucket(held.claim.upload_id)
        if upload is not None and upload.state is State.RECEIVING:
            raise Unknown(upload)
        if upload is None:
            if await self._adopt(held.claim.upload_id):
                return await self._settled(held.claim.upload_id)
            if not await self._give_up(held.claim.upload_id, admitted):
                return None
        elif upload.state is not State.ABORTED:
            return None
        log.info("claim.taken_over", dead=held.claim.upload_id)
        return await self.claims.replace(held, _claim_of(admitted))


def _claim_of(admitted: Admitted) -> Claim:
    return Claim(admitted.upload_id, admitted.target, admitted.content_length)


def _in_progress() -> UploadInProgress:
    return UploadInProgress("the first request with this key is still in progress", _COME_BACK)


def outcome_unknown(upload: Upload, detail: str) -> Upload:
    """The relay in its final state, since its outcome will never be known."""
    return advance(upload, State.FAILED, datetime.now(UTC), Fault("outcome-unknown", detail))
