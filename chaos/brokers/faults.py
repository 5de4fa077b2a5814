"""Which faults strike the broker, and in which order: the seed decides in advance. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The kind of a fault."""

    RESTART = "restart"
    KILL = "kill"
    MEMORY = "memory"
    DISK = "disk"
    FREEZE = "freeze"
    FAILOVER = "failover"


LOSES_REDIS: Final = frozenset({Kind.KILL, Kind.FAILOVER})
"""After these faults, Redis may have lost its data."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `seconds` is how long the broker is full or frozen."""

    kind: Kind
    seconds: float = 0.0

    def __str__(self) -> str:
        """The fault as it is printed."""
        return f"{self.kind} {self.seconds:g} s" if self.seconds else str(self.kind)


def shuffled(counts: Mapping[Kind, int], seconds: Mapping[Kind, float], seed: int) -> list[Fault]:
    """The faults of a run: `counts` of each kind, with durations, in an order by the seed."""
    faults = [
        Fault(kind, seconds.get(kind, 0.0)) for kind, count in counts.items() for _ in range(count)
    ]
    random.Random(f"brokers/{seed}").shuffle(faults)
    return faults
