"""What the receiver does when, and which uploads end otherwise than well. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chaos.plan import Kind
from chaos.uploads import Mode, Planned


class Mood(StrEnum):
    """What a receiver does with messages."""

    DOWN = "down"
    SLOW = "slow"
    GONE = "gone"
    BUSY = "busy"
    GARBLED = "garbled"
    MOVED = "moved"
    FLAKY = "flaky"
    """Each of these now and then, and otherwise well: the failures are those of single messages."""

    WELL = "well"


_SHARES: Final = (
    (Mood.DOWN, 0.25),
    (Mood.SLOW, 0.12),
    (Mood.GONE, 0.12),
    (Mood.BUSY, 0.12),
    (Mood.GARBLED, 0.12),
    (Mood.MOVED, 0.12),
    (Mood.FLAKY, 0.1),
)
"""Shares of the time of all uploads; in the rest of it the receiver is well."""

FAULTS: Final = (
    Kind.KILL_WORKER,
    Kind.KILL_GATEWAY,
    Kind.KILL_REDIS,
    Kind.FLUSHALL,
    Kind.STOP_WORKER,
    Kind.KILL_BEAT,
)
"""What happens to the parts meanwhile. Redis is the broker, too."""


class Fate(StrEnum):
    """How an upload ends, if not well."""

    REJECTED = "rejected"
    FLAGGED = "flagged"
    FAILED = "failed"
    """Until an operator has it tried again, after which it is registered."""
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Doomed:
    """An upload that ends like that."""

    fate: Fate
    upload: Planned


_DOOMED_SHARE: Final = 0.2
_FAILING_UNTIL: Final = 0.6
"""The share of the time after which ChatKitty accepts all, and what has failed is retried."""


def moods(seconds: float) -> list[tuple[float, Mood]]:
    """When the receiver begins to do what, in seconds after the start."""
    found, at = [], 0.0
    for mood, share in _SHARES:
        found.append((at, mood))
        at += share * seconds
    return [*found, (at, Mood.WELL)]


def retried_at(seconds: float) -> float:
    """When an operator has failed uploads tried again."""
    return _FAILING_UNTIL * seconds


def share(count: int) -> tuple[int, int]:
    """How many of that many uploads end well, and how many do not."""
    doomed = max(len(Fate) * 2, round(count * _DOOMED_SHARE))
    return max(1, count - doomed), doomed


def plan_doomed(seed: int, count: int, seconds: float) -> Sequence[Doomed]:
    """`count` uploads that end otherwise, spread over `seconds`: as many of each fate."""
    chance = random.Random(f"doomed/{seed}")
    fates = list(Fate)
    return [
        _doomed(
            fates[number % len(fates)],
            f"doomed-{seed}-{number}",
            (number + chance.random()) * seconds / count,
            keyed=number // len(fates) % 2 == 0,
        )
        for number in range(count)
    ]


def _doomed(fate: Fate, name: str, due: float, *, keyed: bool) -> Doomed:
    if fate is Fate.FLAGGED:
        mode = Mode.RELAY_KEYED if keyed else Mode.RELAY
    else:
        mode = Mode.EXTERNAL_KEYED if keyed else Mode.EXTERNAL
    content = content_of(fate, name)
    return Doomed(
        fate,
        Planned(
            number=0,
            mode=mode,
            name=f"{name}.txt",
            content_type="text/plain",
            size=len(content),
            due=due,
            prefer="respond-async" if mode.is_external else None,
            key=name if keyed else None,
        ),
    )


def content_of(fate: Fate, name: str) -> bytes:
    """The bytes of its file: a program, if they are the reason of its end."""
    if fate in (Fate.REJECTED, Fate.FLAGGED):
        return f"#!/bin/sh\necho {name}\n".encode()
    return f"Notes of {name} that no one will read.\n".encode()
