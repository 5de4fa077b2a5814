"""After the load and the last fault: looked at again and again until nothing is in the air."""

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
"""Seconds after which what is not settled never will be: twice what the sweeper waits for parts."""

_PAUSE = 1.0
_LOOKED_UP: Final = frozenset({Ending.ACKNOWLEDGED, Ending.UNKNOWN})


class CannotLook(Exception):
    """A part did not come back, so that nothing can be told."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The verdict in the end, and the seconds until then; None if it never settled."""

    verdict: Verdict
    seconds: float | None


async def settle(
    lookout: Lookout,
    outcomes: Sequence[Outcome],
    say: Callable[[str], None],
    *,
    redis_forgot: bool,
) -> Settled:
    """Wait until all is settled, then fetch every file, and look once more.

    Raises CannotLook where a part stays away.
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
    # What came while the files were fetched came after all seemed to be over.
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
