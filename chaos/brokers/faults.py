"""Which faults strike the broker, in which order: decided beforehand by the seed. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What is done to the broker."""

    RESTART = "restart"
    KILL = "kill"
    MEMORY = "memory"
    DISK = "disk"
    FREEZE = "freeze"
    FAILOVER = "failover"


LOSES_REDIS: Final = frozenset({Kind.KILL, Kind.FAILOVER})
"""Faults after which a Redis need not know any more what it knew."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `seconds` is how long the broker is full or stands still."""

    kind: Kind
    seconds: float = 0.0

    def __str__(self) -> str:
        """The fault as it is printed."""
        return f"{self.kind} {self.seconds:g} s" if self.seconds else str(self.kind)


def shuffled(counts: Mapping[Kind, int], seconds: Mapping[Kind, float], seed: int) -> list[Fault]:
    """The faults of a run: a number of each kind, with their durations, in an order by the seed."""
    faults = [
        Fault(kind, seconds.get(kind, 0.0)) for kind, count in counts.items() for _ in range(count)
    ]
    random.Random(f"brokers/{seed}").shuffle(faults)
    return faults
