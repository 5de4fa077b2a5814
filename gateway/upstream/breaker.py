"""A circuit breaker: requests to a failing upstream pause, and single requests probe it.

The decisions are pure. `SharedBreaker` keeps their state in Redis, so that all workers pause
together; without Redis, each process keeps its own.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar, cast

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError, WatchError

from gateway import kept
from gateway.metrics.catalogue import CIRCUIT_CHANGES
from gateway.telemetry import get_logger

log = get_logger(__name__)

THRESHOLD: Final = 5
"""Failures in a row after which requests pause."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 15.0
"""Seconds between two probes, doubling each time; recovery is noticed at most this late."""

LONGEST_ASKED: Final = 60.0
"""The longest pause of all processes because the upstream asked one of them to wait, in seconds."""

PROBE: Final = 5.0
"""Seconds that one probe has before the next may be sent as well."""

_STATE_SECONDS: Final = 600
_FRESH: Final = 0.1
"""Seconds for which a process that has seen the breaker closed does not check it again."""

_TRIES: Final = 3

Outcome = TypeVar("Outcome")


class Circuit(msgspec.Struct, frozen=True):
    """The state of the upstream: failures in a row, and the times before which to wait."""

    failures: int = 0
    open_until: float = 0.0
    probe_until: float = 0.0

    @property
    def tripped(self) -> bool:
        """Whether the failures are the upstream's rather than any one request's."""
        return self.failures >= THRESHOLD


CLOSED: Final = Circuit()


def permit(circuit: Circuit, now: float) -> tuple[Circuit, float]:
    """Seconds to wait at `now` before anything is sent: 0 permits one request."""
    if now < circuit.open_until:
        return circuit, circuit.open_until - now
    if not circuit.tripped:
        return circuit, 0.0
    if now < circuit.probe_until:
        return circuit, circuit.probe_until - now
    return replace(circuit, probe_until=now + PROBE), 0.0


def failed(circuit: Circuit, now: float, asked: float) -> tuple[Circuit, bool]:
    """The circuit after a failure; `asked` is the pause that the upstream asked for, in seconds.

    Also returns whether the failure is the upstream's by now, and not only the one request's.
    """
    failures = circuit.failures + 1
    pause = min(asked, LONGEST_ASKED)
    if failures >= THRESHOLD:
        doubled = FIRST_PAUSE * 2 ** min(failures - THRESHOLD, 10)
        pause = max(pause, min(LONGEST_PAUSE, doubled))
    after = Circuit(failures=failures, open_until=max(circuit.open_until, now + pause))
    return after, after.tripped


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Circuit)


def _circuit(state: bytes | None) -> Circuit:
    """The stored circuit; if it cannot be read, a new one."""
    try:
        return kept.read(_decoder, state) if state is not None else CLOSED
    except msgspec.MsgspecError:
        return CLOSED


def _count_change(*, tripped: bool) -> None:
    CIRCUIT_CHANGES.add("open" if tripped else "closed")


class OnChange(Protocol):
    """Hears whether the breaker has tripped or closed."""

    def __call__(self, *, tripped: bool) -> None:
        """Count it, say."""


class SharedBreaker:
    """The breaker of one upstream. Nothing here raises, whatever happens to Redis."""

    def __init__(self, redis: Redis, name: str, on_change: OnChange = _count_change) -> None:
        """Share the state of the upstream called `name`."""
        self._redis = redis
        self._name = name
        self._on_change = on_change
        self._key = f"breaker:{name}"
        self._local = CLOSED
        self._closed_at: float | None = None
        """When this process last saw it closed; None if it has seen failures since."""
        self._trusted = False
        """Whether a request was permitted since then without looking."""

    async def permit(self) -> float:
        """Seconds to wait before anything is sent: 0 permits one request."""
        if self._closed_at is not None and time.monotonic() - self._closed_at < _FRESH:
            self._trusted = True
            return 0.0
        return await self._change(permit)

    async def succeeded(self) -> None:
        """Note that the upstream works.

        A process that has seen the breaker closed before each of its requests has nothing to close.
        """
        if self._closed_at is None or self._trusted:
            self._trusted = False
            await self._change(lambda _, __: (CLOSED, None))

    async def failed(self, asked: float) -> bool:
        """Note that the upstream failed; see the function of that name."""
        self._closed_at = None
        return await self._change(lambda circuit, now: failed(circuit, now, asked))

    async def is_open(self) -> bool | None:
        """Whether requests to the upstream are paused; None if Redis does not answer."""
        try:
            state = cast(bytes | None, await self._redis.get(self._key))
        except (RedisError, OSError):
            return None
        return _circuit(state).tripped

    async def _change(self, decide: Callable[[Circuit, float], tuple[Circuit, Outcome]]) -> Outcome:
        try:
            for _ in range(_TRIES):
                try:
                    return await self._change_shared(decide)
                except WatchError:
                    continue
        except (RedisError, OSError) as error:
            log.warning("breaker.redis_unavailable", error=repr(error))
        self._closed_at = None
        self._local, outcome = decide(self._local, time.monotonic())
        return outcome

    async def _change_shared(
        self, decide: Callable[[Circuit, float], tuple[Circuit, Outcome]]
    ) -> Outcome:
        if await self._redis.get(self._key) is None:
            # The upstream nearly always works: then this costs only one command.
            circuit, outcome = decide(CLOSED, 0.0)
            if circuit == CLOSED:
                self._closed_at = time.monotonic()
                return outcome
        self._closed_at = None
        async with self._redis.pipeline() as pipeline:
            await pipeline.watch(self._key)
            before, now = await self._read(pipeline)
            circuit, outcome = decide(before, now)
            if circuit == before:
                return outcome
            pipeline.multi()  # type: ignore[no-untyped-call]
            if circuit == CLOSED:
                pipeline.delete(self._key)
            else:
                pipeline.set(self._key, _encoder.encode(circuit), ex=_STATE_SECONDS)
            await pipeline.execute()
        if circuit.tripped != before.tripped:
            self._on_change(tripped=circuit.tripped)
            log.warning(
                "breaker.changed",
                upstream=self._name,
                tripped=circuit.tripped,
                failures=circuit.failures,
            )
        return outcome

    async def _read(self, pipeline: Pipeline) -> tuple[Circuit, float]:
        """The state, and the time of Redis' clock, which all processes share."""
        state = await pipeline.get(self._key)
        seconds, microseconds = await pipeline.time()
        return _circuit(cast(bytes | None, state)), seconds + microseconds / 1e6
