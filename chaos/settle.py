"""Collects the facts after the load and the last fault, repeatedly, until nothing is pending."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chaos.answers import Ending, Outcome
from chaos.audit import Flaw, Verdict, audit
from chaos.facts import Facts
from chaos.look import UNAVAILABLE, Lookout

PATIENCE: Final = 240.0
"""After this many seconds nothing changes any more: twice the sweeper's wait for parts."""

_PAUSE = 1.0
_LOOKED_UP: Final = frozenset({Ending.ACKNOWLEDGED, Ending.UNKNOWN})


class CannotLook(Exception):
    """A part did not recover, so there is no verdict."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The final verdict, and the seconds until then; None if the stack never settled."""

    verdict: Verdict
    seconds: float | None


async def settle(
    lookout: Lookout,
    outcomes: Sequence[Outcome],
    say: Callable[[str], None],
    *,
    redis_forgot: bool,
) -> Settled:
    """Wait until all is settled, then fetch every file, and collect the facts once more.

    Raises CannotLook if a part stays unavailable.
    """
    wanted = {
        outcome.upload_id
        for outcome in outcomes
        if outcome.upload_id is not None and outcome.ending in _LOOKED_UP
    }
    started = time.monotonic()
    while True:
        facts = await _look(lookout, wanted, redis_forgot=redis_forgot)
        verdict = audit(outcomes, facts)
        seconds = time.monotonic() - started
        if verdict.is_settled or seconds > PATIENCE:
            break
        say(_progress(verdict, seconds))
        await asyncio.sleep(_PAUSE)
    ours = (
        message for outcome in outcomes for message in facts.messages.get(outcome.upload.name, ())
    )
    fetched = await lookout.fetch(ours)
    # If facts changed while files were fetched, everything had only seemed to be settled.
    last = await _look(lookout, wanted, redis_forgot=redis_forgot)
    final = audit(outcomes, replace(last, fetched=fetched))
    return Settled(final, seconds if verdict.is_settled else None)


async def _look(lookout: Lookout, upload_ids: Iterable[str], *, redis_forgot: bool) -> Facts:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await lookout.look(upload_ids, redis_forgot=redis_forgot)
        except UNAVAILABLE as error:
            if time.monotonic() > deadline:
                raise CannotLook(f"a part stays away: {error!r}") from error
        await asyncio.sleep(_PAUSE)


def _progress(verdict: Verdict, seconds: float) -> str:
    return (
        f"{seconds:6.1f} s  settling: {verdict.count(Flaw.UNSETTLED)} unsettled,"
        f" {verdict.count(Flaw.LEFTOVER)} left over"
    )
