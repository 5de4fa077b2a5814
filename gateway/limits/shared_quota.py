"""Each subject's quota, shared by all gateways through Redis, in one round trip.

If Redis is unavailable, each process counts its own requests, with the same limits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.limits.quota import (
    Accounts,
    Demand,
    Policy,
    Usage,
    check_size,
    counted,
    fields,
    refusal,
    wait_for_place,
)
from gateway.limits.quota_script import SCRIPT
from gateway.limits.window import Use, slice_length
from gateway.redis.script_pipe import Answer, ScriptPipe
from gateway.telemetry import get_logger
from gateway.uploads import keys

log = get_logger(__name__)

LEASE_SECONDS: Final = 15
"""How long an upload's place is kept without renewal: after that its gateway has died."""

_LOOK_SECONDS: Final = 1.0
_LOOKS_PER_HOLD: Final = 4
_PATIENCE: Final = 1.0
"""Seconds to wait for an answer of Redis before each process counts by itself."""


class Ticket:
    """An admitted request; it has a place among its subject's uploads until its end."""

    __slots__ = ("_end", "fields")

    def __init__(self, fields: Mapping[str, str], end: Callable[[int], None]) -> None:
        """`fields` are the headers of its answer."""
        self.fields = fields
        self._end: Callable[[int], None] | None = end

    def end(self, received: int) -> None:
        """End the request, after `received` bytes of it; only the first call counts."""
        if self._end is not None:
            self._end(received)
            self._end = None


Told: TypeAlias = Callable[[Ticket | Exception], None]
"""Called once: the ticket of a request, or why it may not come in."""


class Quotas:
    """Admits requests within their subjects' quotas."""

    def __init__(self, redis: Redis, policy: Policy) -> None:
        """Count in `redis`."""
        self._redis = redis
        self._policy = policy
        self._length = slice_length(policy.window)
        self._local = Accounts(policy)
        self._open: defaultdict[str, set[str]] = defaultdict(set)
        """The uploads in progress in this process, by subject."""
        self._pipe: ScriptPipe | None = None
        self._tried = asyncio.Event()
        self._away = False

    @property
    def ready(self) -> bool:
        """Whether `ask` may be called: a process that has just begun knows nothing by itself."""
        return self._tried.is_set()

    async def take(self, subject: str, demand: Demand) -> Ticket:
        """Count the request. Raises QuotaExceeded, LargerThanQuota if it is not admitted."""
        await self._tried.wait()
        taken: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()

        def told(result: Ticket | Exception) -> None:
            if isinstance(result, Exception):
                if not taken.cancelled():
                    taken.set_exception(result)
            elif taken.cancelled():
                result.end(0)
            else:
                taken.set_result(result)

        self.ask(subject, demand, told)
        try:
            return await taken
        except asyncio.CancelledError:
            if taken.done() and not taken.cancelled() and taken.exception() is None:
                taken.result().end(0)
            raise

    def ask(self, subject: str, demand: Demand, told: Told) -> None:
        """Count the request; `told` is called once, perhaps before this returns.

        It receives the request's ticket, or QuotaExceeded or LargerThanQuota if it may not come in.
        """
        try:
            check_size(self._policy, demand)
            if self._pipe is not None and self._pipe.usable:
                self._ask(self._pipe, subject, demand, told)
                return
            ticket = self._take_here(subject, demand)
        except Exception as error:  # noqa: BLE001 - the waiting caller gets it
            told(error)
            return
        told(ticket)

    async def keep(self) -> None:
        """Stay connected, and renew the places of the uploads in progress, until cancelled."""
        looks = 0
        try:
            while True:
                if self._pipe is None or not self._pipe.usable:
                    await self._connect()
                    looks = 0
                if looks % _LOOKS_PER_HOLD == 0:
                    self._hold()
                looks += 1
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            if self._pipe is not None:
                self._pipe.close()

    # --- with Redis ------------------------------------------------------------------------------

    async def _connect(self) -> None:
        try:
            self._pipe = await ScriptPipe.open(self._redis, SCRIPT, _PATIENCE)
        except (RedisError, OSError) as error:
            self._is_away(error)
        else:
            self._is_there()
        self._tried.set()

    def _ask(self, pipe: ScriptPipe, subject: str, demand: Demand, told: Told) -> None:
        policy = self._policy

        def answered(answer: Answer, error: RedisError | None) -> None:
            self._told(answer, error)
            try:
                if error is not None:
                    ticket = self._take_here(subject, demand)
                else:
                    standing = standing_of(answer, policy, demand)
                    ticket = self._ticket(subject, demand, standing, self._end_there)
            except Exception as refused:  # noqa: BLE001 - the waiting caller gets it
                told(refused)
                return
            told(ticket)

        limits = (policy.requests, policy.bytes, policy.uploads)
        asked = (demand.need, demand.declared, demand.upload_id or "", LEASE_SECONDS * 1000)
        pipe.call(keys.quota(subject), ("ask", self._length, *limits, *asked), answered)

    def _end_there(self, subject: str, demand: Demand, standing: Usage, received: int) -> None:
        difference = received - demand.declared if self._policy.bytes else 0
        upload_id = demand.upload_id if self._policy.uploads else None
        if difference or upload_id:
            self._call(subject, "end", standing.slice, difference, upload_id or "")

    def _hold(self) -> None:
        for subject, upload_ids in self._open.items():
            self._call(subject, "hold", LEASE_SECONDS * 1000, *upload_ids)

    def _call(self, subject: str, act: str, *arguments: str | int) -> None:
        """Call the script, if Redis is available; no request waits for it."""
        if self._pipe is not None and self._pipe.usable:
            called = (act, self._length, *arguments)
            self._pipe.call(keys.quota(subject), called, self._told)

    def _told(self, _: Answer, error: RedisError | None) -> None:
        if error is not None:
            self._is_away(error)
        else:
            self._is_there()

    def _is_there(self) -> None:
        if self._away:
            log.info("quota.redis_is_back")
        self._away = False

    def _is_away(self, error: Exception) -> None:
        if not self._away:
            log.warning("quota.redis_unavailable", error=repr(error))
        self._away = True

    # --- by this process alone -------------------------------------------------------------------

    def _take_here(self, subject: str, demand: Demand) -> Ticket:
        uploads = len(self._open[subject]) if subject in self._open else 0
        standing = self._local.ask(subject, demand, uploads, _now())
        return self._ticket(subject, demand, standing, self._end_here)

    def _end_here(self, subject: str, demand: Demand, standing: Usage, received: int) -> None:
        difference = received - demand.declared
        if difference:
            self._local.correct(subject, difference, standing.slice, _now())
        if self._policy.uploads and demand.upload_id is not None:
            # Redis may be back, and then the place was written there.
            self._call(subject, "end", 0, 0, demand.upload_id)

    # --- with either -----------------------------------------------------------------------------

    def _ticket(
        self,
        subject: str,
        demand: Demand,
        standing: Usage,
        give_back: Callable[[str, Demand, Usage, int], None],
    ) -> Ticket:
        if (refused := refusal(self._policy, standing)) is not None:
            raise refused
        if self._policy.uploads and demand.upload_id is not None:
            self._open[subject].add(demand.upload_id)

        def end(received: int) -> None:
            self._close(subject, demand.upload_id)
            give_back(subject, demand, standing, received)

        return Ticket(fields(self._policy, standing), end)

    def _close(self, subject: str, upload_id: str | None) -> None:
        if upload_id is not None and subject in self._open:
            self._open[subject].discard(upload_id)
            if not self._open[subject]:
                del self._open[subject]


def standing_of(answer: Answer, policy: Policy, demand: Demand) -> Usage:
    """What the script answered."""
    number, requests, size, uploads = cast(tuple[int, list[int], list[int], int], answer)
    standing = Usage(
        slice=number,
        requests=Use(*requests),
        bytes=Use(*size),
        uploads=Use(uploads, 0, wait_for_place(policy, demand, uploads)),
    )
    return counted(standing, demand) if standing.admitted else standing


def _now() -> int:
    return int(time.monotonic() * 1000)
