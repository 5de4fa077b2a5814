"""Which faults happen when: the seed decides in advance, so that a run can be repeated. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PARTS: Final = ("gateway", "worker", "beat", "redis", "s3", "sandbox")


class Kind(StrEnum):
    """The kinds of faults: an action and the part that it strikes."""

    KILL_GATEWAY = "kill-gateway"
    KILL_WORKER = "kill-worker"
    KILL_BEAT = "kill-beat"
    KILL_REDIS = "kill-redis"
    KILL_S3 = "kill-s3"
    KILL_SANDBOX = "kill-sandbox"
    STOP_GATEWAY = "stop-gateway"
    STOP_WORKER = "stop-worker"
    STOP_BEAT = "stop-beat"
    STOP_REDIS = "stop-redis"
    STOP_S3 = "stop-s3"
    STOP_SANDBOX = "stop-sandbox"
    STALL_GATEWAY = "stall-gateway"
    STALL_WORKER = "stall-worker"
    STORE_DELAY = "store-delay"
    FLUSHALL = "flushall"
    UPSTREAM_503 = "upstream-503"
    UPSTREAM_429 = "upstream-429"
    UPSTREAM_DELAY = "upstream-delay"
    UPSTREAM_LATE = "upstream-late"
    UPSTREAM_CUT_BEFORE = "upstream-cut-before"
    UPSTREAM_CUT_AFTER = "upstream-cut-after"

    @property
    def action(self) -> str:
        """`kill`, `stop`, `stall`, `store`, `flushall` or `upstream`."""
        return self.partition("-")[0]

    @property
    def part(self) -> str:
        """The part that is killed, stopped or stalled."""
        return self.partition("-")[2]


LOSES_REDIS: Final = frozenset({Kind.FLUSHALL, Kind.KILL_REDIS})
"""Faults after which Redis may have lost data."""

UPSTREAM_TIMEOUT: Final = 10
"""Seconds that the gateway and the workers wait for the upstream in these runs."""

_SPACING = 5.0
"""Average seconds between two faults."""

_STOP = (1.0, 8.0)
_STALL = 60.0
"""Seconds, longer than any lease, and than a file may lack its record."""
_STORE_DELAY = (5.0, 35.0)
"""Seconds; the longest exceed the time-out of a request to the store."""
_STORE_TIMES = (1, 4)
_DELAY = (0.5, 0.8 * UPSTREAM_TIMEOUT)
_LATE = (1.1 * UPSTREAM_TIMEOUT, 1.5 * UPSTREAM_TIMEOUT)
_TIMES = (2, 8)
_QUIET_EDGE = 0.05


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `seconds`: how long the part is frozen, or how late answers are.

    `times` is the number of requests to upstream or store that it strikes. `pick`, in [0, 1),
    chooses one of several processes, or whether the store's answer is delayed or the request.
    """

    kind: Kind
    seconds: float = 0.0
    times: int = 0
    pick: float = 0.0

    def __str__(self) -> str:
        """The fault as it is printed."""
        told = [str(self.kind)]
        if self.times:
            told.append(f"x {self.times}")
        if self.seconds:
            told.append(f"{self.seconds:.1f} s")
        return " ".join(told)


def plan(
    seed: int, seconds: float, kinds: Sequence[Kind] = tuple(Kind)
) -> list[tuple[float, Fault]]:
    """The faults during a load of `seconds`, by the time after its start.

    Every kind happens once before any happens again.
    """
    if not kinds:
        return []
    chance = random.Random(f"faults/{seed}")
    count = max(1, round(seconds / _SPACING))
    slot = seconds * (1 - 2 * _QUIET_EDGE) / count
    return [
        (seconds * _QUIET_EDGE + (number + chance.random()) * slot, _fault(chance, kind))
        for number, kind in enumerate(_deal(chance, kinds, count))
    ]


def chosen(text: str) -> tuple[Kind, ...]:
    """The kinds in a comma-separated list of kinds and actions (`kill`), or `all`, or `none`.

    Raises ValueError for a word that names no kind.
    """
    if text in ("all", "none"):
        return tuple(Kind) if text == "all" else ()
    found: list[Kind] = []
    for word in (word.strip() for word in text.split(",")):
        named = [kind for kind in Kind if word in (kind, kind.action)]
        if not named:
            raise ValueError(f"no fault is called {word!r}; there are: {', '.join(Kind)}")
        found += named
    return tuple(dict.fromkeys(found))


def rule_of(fault: Fault) -> dict[str, object]:
    """The sandbox's rule for an upstream fault, which strikes uploads and registrations alike."""
    effects: dict[Kind, dict[str, object]] = {
        Kind.UPSTREAM_503: {"status": 503},
        Kind.UPSTREAM_429: {"status": 429, "headers": {"Retry-After": "1"}},
        Kind.UPSTREAM_DELAY: {"delay": fault.seconds},
        Kind.UPSTREAM_LATE: {"delay": fault.seconds},
        Kind.UPSTREAM_CUT_BEFORE: {"cut": "before"},
        Kind.UPSTREAM_CUT_AFTER: {"cut": "after"},
    }
    effect = effects[fault.kind]
    return {"method": "POST", "path": "*/messages", "times": fault.times, "fault": effect}


def _deal(chance: random.Random, kinds: Sequence[Kind], count: int) -> list[Kind]:
    dealt: list[Kind] = []
    while len(dealt) < count:
        dealt += chance.sample(kinds, len(kinds))
    return dealt[:count]


def _fault(chance: random.Random, kind: Kind) -> Fault:
    pick = chance.random()
    if kind.action == "stop":
        return Fault(kind, seconds=chance.uniform(*_STOP), pick=pick)
    if kind.action == "stall":
        return Fault(kind, seconds=_STALL, pick=pick)
    if kind is Kind.STORE_DELAY:
        times = chance.randint(*_STORE_TIMES)
        return Fault(kind, seconds=chance.uniform(*_STORE_DELAY), times=times, pick=pick)
    if kind.action == "upstream":
        times = chance.randint(*_TIMES)
        ranges = {Kind.UPSTREAM_DELAY: _DELAY, Kind.UPSTREAM_LATE: _LATE}
        return Fault(kind, seconds=chance.uniform(*ranges.get(kind, (0.0, 0.0))), times=times)
    return Fault(kind, pick=pick)
