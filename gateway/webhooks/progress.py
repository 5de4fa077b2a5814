"""How far a message has come at each of its endpoints. Pure.

Ages are in seconds of the store's clock, which has whole seconds only.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from gateway.webhooks.schedule import GIVE_UP_AFTER


class Over(StrEnum):
    """Why an endpoint no longer gets the message."""

    DELIVERED = "delivered"
    DEAD = "dead"
    """Workers gave it up; an operator can have it sent again."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a message has come at one endpoint.

    `pause`: seconds after this was written until the next attempt. `status` and `detail` are of the
    last attempt: the receiver's status, if it answered, and what was wrong.
    """

    attempts: int = 0
    pause: float = 0.0
    status: int | None = None
    detail: str = ""
    over: Over | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a message has come; `waited`: seconds in the outbox when this was written.

    `again`: it was given up, and an operator has it sent again. What was given up is kept until it
    is delivered, since the process that gave it up may remove it from the outbox only now.
    """

    endpoints: dict[str, Standing]
    waited: float = 0.0
    again: bool = False

    @property
    def is_over(self) -> bool:
        """Whether no endpoint gets the message any more."""
        return all(standing.over is not None for standing in self.endpoints.values())

    @property
    def is_dead(self) -> bool:
        """Whether it was given up at an endpoint."""
        return any(standing.over is Over.DEAD for standing in self.endpoints.values())


def begun(endpoints: Iterable[str]) -> Progress:
    """The progress of a message that these endpoints want."""
    return Progress(endpoints={name: Standing() for name in endpoints})


def is_due(standing: Standing, age: float) -> bool:
    """Whether the next attempt is due, if this was written `age` seconds ago."""
    return standing.over is None and age >= standing.pause


def carried_over(progress: Progress, age: float) -> Progress:
    """The progress that was written `age` seconds ago, for one that is written now."""
    endpoints = {
        name: replace(standing, pause=max(0.0, standing.pause - age))
        for name, standing in progress.endpoints.items()
    }
    return replace(progress, endpoints=endpoints, waited=progress.waited + age)


def changed(progress: Progress, standings: Mapping[str, Standing]) -> Progress:
    """The progress with other standings of some endpoints."""
    return replace(progress, endpoints={**progress.endpoints, **standings})


def not_over(progress: Progress, standings: Mapping[str, Standing]) -> dict[str, Standing]:
    """The standings that still count, if the progress is newer than the one they came from.

    Another worker may have brought the message further in the meantime. Only a delivery replaces
    what is over.
    """
    return {
        name: standing
        for name, standing in standings.items()
        if (newer := progress.endpoints.get(name)) is not None
        and (newer.over is None or standing.over is Over.DELIVERED)
    }


def without(progress: Progress, known: Iterable[str]) -> dict[str, Standing]:
    """The endpoints that are unknown for so long that they were removed: given up.

    While settings are being changed, a process may know fewer endpoints than another.
    """
    if progress.waited < GIVE_UP_AFTER:
        return {}
    return {
        name: replace(standing, over=Over.DEAD, detail="no endpoint has this name any more")
        for name, standing in progress.endpoints.items()
        if standing.over is None and name not in set(known)
    }


def reopened(progress: Progress, endpoints: Iterable[str] | None) -> Progress | None:
    """The progress of a dead letter that is sent again, to these endpoints or to all.

    None if it is dead at none of them.
    """
    names = [
        name
        for name, standing in progress.endpoints.items()
        if standing.over is Over.DEAD and (endpoints is None or name in set(endpoints))
    ]
    if not names:
        return None
    return replace(changed(progress, begun(names).endpoints), waited=0.0, again=True)
