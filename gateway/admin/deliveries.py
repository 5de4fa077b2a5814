"""The messages about one upload that wait for its webhooks or were given up, for its page."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

import msgspec

from gateway.admin.bucket import NotDone, Session
from gateway.records.outbox import Again
from gateway.uploads import keys
from gateway.webhooks.messages import parse
from gateway.webhooks.progress import Progress, reopened

NOTHING_GIVEN_UP = "no message about it was given up"


class Kept(NamedTuple):
    """A message that the bucket has; `progress` is None if it cannot be read."""

    name: str
    given_up: bool
    progress: Progress | None

    def members(self) -> dict[str, object]:
        """The members for programs, without a webhook's URL."""
        message = parse(self.name)
        endpoints = self.progress.endpoints if self.progress is not None else {}
        return {
            "type": message.event if message is not None else self.name,
            "givenUp": self.given_up,
            "readable": self.progress is not None,
            "endpoints": [
                {
                    "name": name,
                    "state": standing.over.value if standing.over is not None else "waiting",
                    "attempts": standing.attempts,
                    "status": standing.status,
                    "detail": standing.detail,
                }
                for name, standing in endpoints.items()
            ],
        }


async def messages_of(session: Session, upload_id: str) -> list[Kept]:
    """Those that wait, then those that were given up; delivered ones are forgotten.

    Raises StoreUnavailable.
    """
    waiting = await _waiting(session, upload_id)
    return [*waiting, *await _given_up(session, upload_id, waiting)]


async def why_not_resend(session: Session, upload_id: str) -> str | None:
    """Why nothing would be sent again; None if something would. Raises StoreUnavailable."""
    given_up = await _given_up(session, upload_id, await _waiting(session, upload_id))
    return None if any(_again(each) for each in given_up) else NOTHING_GIVEN_UP


async def resend(session: Session, upload_id: str) -> str:
    """Have workers send again what was given up; returns what was done.

    Raises NotDone if nothing was given up, StoreUnavailable.
    """
    again = 0
    for each in await _given_up(session, upload_id, await _waiting(session, upload_id)):
        if _again(each):
            again += await session.outbox.send_again(each.name, None) is not Again.NOTHING
    if not again:
        raise NotDone(NOTHING_GIVEN_UP)
    period = session.settings.sweep_interval
    noun = "message" if again == 1 else "messages"
    return f"{again} {noun}; workers send after the sweeper's period of {period:g} s"


def _again(each: Kept) -> bool:
    return each.progress is not None and reopened(each.progress, None) is not None


async def _waiting(session: Session, upload_id: str) -> list[Kept]:
    return [each async for each in _under(session, keys.message(f"{upload_id}/"))]


async def _given_up(session: Session, upload_id: str, waiting: list[Kept]) -> list[Kept]:
    """Those that are not sent again already: such a message stays until it is delivered."""
    place, names = keys.dead_message(f"{upload_id}/"), {each.name for each in waiting}
    found = _under(session, place, given_up=True)
    return [each async for each in found if each.name not in names]


async def _under(
    session: Session, place: str, *, given_up: bool = False
) -> AsyncGenerator[Kept, None]:
    start = keys.dead_messages() if given_up else keys.OUTBOX
    async for info in session.store.list(place):
        name = info.key.removeprefix(start)
        try:
            progress = await _progress(session, name, given_up=given_up)
        except msgspec.MsgspecError:
            yield Kept(name, given_up, None)
            continue
        if progress is not None:
            yield Kept(name, given_up, progress)


async def _progress(session: Session, name: str, *, given_up: bool) -> Progress | None:
    """None if it was sent or moved in the meantime."""
    if given_up:
        return await session.outbox.open_dead(name)
    waiting = await session.outbox.open(name)
    return waiting.progress if waiting is not None else None
