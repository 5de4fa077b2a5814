"""An upload with an idempotency key: however often it is sent, it is carried out once.

Whoever has the claim of the key takes the body. Everybody else is led to the upload that the key
stands for, or takes the claim over once it is sure that its upload was not and will not be
accepted: a relay of which nobody knows the outcome is never sent a second time.
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
    """The key stands for a relay of which nobody knows the outcome."""

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
    """What it works with."""

    backends: Backends
    claims: Claims

    async def claim(self, admitted: Admitted, key: str, patience: float) -> Held | Upload:
        """The claim, if the body is to be taken, else the upload that the key stands for.

        A first request that is still at work is waited for, for `patience` seconds. Raises
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
        """Make a relay known before its first byte is sent.

        Raises UploadSuperseded, StoreUnavailable.
        """
        entry = await self.backends.ledger.accept(admitted.receiving())
        crash.point(crash.Point.RELAY_BEGUN)
        return KeyedAttempt(held, entry)

    async def answered(
        self, attempt: "KeyedAttempt", status: int, headers: Mapping[str, str]
    ) -> None:
        """The upstream has answered the relay; a success is kept already."""
        if status in range(200, 300):
            return
        if retry.may_have_acted(status, asks_to_wait="Retry-After" in headers):
            await self._lose(attempt, f"ChatKitty answered {status}")
        else:
            await self._undo(attempt)

    async def broke(self, attempt: "KeyedAttempt", error: Exception) -> None:
        """The relay ended without an answer, or with one that could not be kept."""
        if isinstance(error, RecordNotKept):
            return  # it may be there all the same; if it is not, the sweeper ends the upload
        if isinstance(error, UpstreamError) and error.outcome_unknown:
            await self._lose(attempt, str(error))
        elif isinstance(error, UpstreamError | ClientError):
            await self._undo(attempt)  # the upstream has not seen the end of the body

    async def _undo(self, attempt: "KeyedAttempt") -> None:
        """Nothing was done: nothing stays."""
        with suppress(StoreUnavailable):
            await self.backends.ledger.forget_pending(attempt.entry.upload.id)
            await self.claims.release(attempt.held)

    async def _lose(self, attempt: "KeyedAttempt", detail: str) -> None:
        upload = outcome_unknown(attempt.entry.upload, detail)
        with suppress(StoreUnavailable):
            await self.backends.ledger.save(attempt.entry, upload)

    async def release(self, held: Held) -> None:
        """The request has done nothing: the next one with its key begins anew.

        Where the store does not take that, the claim is taken over as a dead one's later.
        """
        with suppress(StoreUnavailable):
            await self.claims.release(held)

    async def _settled(self, upload_id: str) -> Upload | None:
        """The upload if it was accepted. Raises Unknown for a relay that came to nothing known."""
        upload = await self.backends.ledger.find_in_bucket(upload_id)
        if upload is None or upload.state in {State.RECEIVING, State.ABORTED}:
            return None
        if upload.delivery is Delivery.RELAY and upload.result is None:
            raise Unknown(upload)
        return upload

    async def _adopt(self, upload_id: str) -> bool:
        """Take up an upload whose file is complete and whose record was lost or never written.

        Whatever became of it before, its client is answered for the first request and for no other.
        Raises StoreUnavailable.
        """
        backends = self.backends
        try:
            spare = await find_spare(backends.store, backends.ring, upload_id)
        except ObjectNotFound:
            return False
        if spare is None:
            return False
        try:
            # Only of an accepted upload a worker may have been about to send the reference.
            accepted = await orphans.is_remembered(backends.redis, spare)
        except (RedisError, OSError) as error:
            log.warning("claim.redis_unavailable", error=repr(error))
            accepted = True
        again = recovered(spare, datetime.now(UTC), 0.0 if accepted else math.inf)
        with suppress(PreconditionFailed):  # somebody else has, or the gateway itself
            await backends.ledger.recover(again)
        log.info("claim.adopted", first=upload_id)
        return True

    async def _take_over(self, held: Held, ours: Claim, admitted: Admitted) -> Held | Upload | None:
        """The claim of a request that died before its file was complete, else its upload.

        None where neither can be told yet. Raises Unknown, StoreUnavailable.
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
    """The relay at its end, since nobody will ever know more of it."""
    return advance(upload, State.FAILED, datetime.now(UTC), Fault("outcome-unknown", detail))
