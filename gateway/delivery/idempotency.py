"""An upload with an idempotency key: however often it is sent, it is executed once.

The request that holds the key's claim has its body read. Any other request with the key gets the
upload that the key stands for, or takes the claim over once it is certain that this upload was not
and will not be accepted. A relay with an unknown outcome is never sent a second time.
"""

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from gateway import crash
from gateway.backends import Backends
from gateway.choices import Delivery
from gateway.delivery.admitted import Admitted
from gateway.errors import (
    ClientError,
    ObjectNotFound,
    PreconditionFailed,
    RecordNotKept,
    StoreUnavailable,
    UploadInProgress,
    UpstreamError,
)
from gateway.records import orphans
from gateway.records.bucket import Entry
from gateway.records.claims import Claim, Claims, Held
from gateway.records.heartbeats import is_gone, present_in_bucket
from gateway.records.spare import find_spare, recovered
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

    async def claim(self, admitted: Admitted, key: str, patience: float) -> Held | Upload:
        """The claim, if the body is to be read, else the upload that the key stands for.

        If the first request is still in progress, wait for it for up to `patience` seconds. Raises
        IdempotencyKeyReused, UploadInProgress, StoreUnavailable, and Unknown.
        """
        place = keys.claim(admitted.principal.subject, key)
        ours = Claim(admitted.upload_id, admitted.target, admitted.content_length)
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience
        while True:
            held, taken = await self.claims.take(place, ours)
            if taken:
                crash.point(crash.Point.CLAIM_TAKEN)
                return held
            held.claim.check(admitted.target, admitted.content_length)
            if (settled := await self._settled(held.claim.upload_id)) is not None:
                return settled
            again = await self._take_over(held, ours, admitted)
            if again is not None:
                return again
            if clock() > deadline:
                raise UploadInProgress(
                    "the first request with this key is still in progress", _COME_BACK
                )
            await asyncio.sleep(_LOOK_SECONDS)

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

    async def _take_over(self, held: Held, ours: Claim, admitted: Admitted) -> Held | Upload | None:
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
            dead = abandoned(held.claim.upload_id, datetime.now(UTC))
            dead = replace(dead, subject=admitted.principal.subject, target=admitted.target)
            if not await self.backends.ledger.fence(dead):
                return None
        elif upload.state is not State.ABORTED:
            return None
        log.info("claim.taken_over", dead=held.claim.upload_id)
        return await self.claims.replace(held, ours)


def outcome_unknown(upload: Upload, detail: str) -> Upload:
    """The relay in its final state, since its outcome will never be known."""
    return advance(upload, State.FAILED, datetime.now(UTC), Fault("outcome-unknown", detail))
