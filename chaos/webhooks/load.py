"""Clients whose uploads end otherwise than well."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from chaos.answers import Ending, Outcome
from chaos.load import TUS, Sender, open_session, read_answer
from chaos.stack import Told
from chaos.webhooks.plan import Doomed, Fate, content_of

REFUSING: Final = "/channels/*/messages"
"""The paths at which ChatKitty refuses references for a while: those of its newer generation."""

_CREATED: Final = 201
_TRIES: Final = 20
_PAUSE = 1.0


async def run_doomed(doomed: Sequence[Doomed], told: Told, done: Callable[[Outcome], None]) -> None:
    """Send all of them, each when it is due; `done` is called with each outcome."""
    started = time.monotonic()

    async def client(session: aiohttp.ClientSession, each: Doomed) -> None:
        await asyncio.sleep(started + each.upload.due - time.monotonic())
        if each.fate is Fate.ABORTED:
            await _abandon(session, told, each)
            return
        content = content_of(each.fate, each.upload.name.rpartition(".")[0])
        path = f"/channels/{told.channel}/messages" if each.fate is Fate.FAILED else None
        done(await Sender(session, told, each.upload, content, path=path).run())

    async with open_session(told) as session, asyncio.TaskGroup() as group:
        for each in doomed:
            group.create_task(client(session, each))


async def _abandon(session: aiohttp.ClientSession, told: Told, doomed: Doomed) -> None:
    """Begin an upload by tus and cancel it: it is aborted unless it was never begun."""
    begun = {**TUS, "Upload-Length": str(doomed.upload.size)}
    path = f"/gateway/tus/v1/channels/{told.channel}/messages"
    location: str | None = None
    for _ in range(_TRIES):
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            if location is None:
                async with session.post(path, headers=begun) as response:
                    answer = await read_answer(response)
                    location = answer.location if answer.status == _CREATED else None
            if location is not None:
                async with session.delete(urlsplit(location).path, headers=TUS) as response:
                    if response.status < 500:
                        return
        await asyncio.sleep(_PAUSE)


def acknowledged(outcomes: Sequence[Outcome]) -> set[str]:
    """The ids of the hosted uploads whose clients were told that they are accepted."""
    return {
        outcome.upload_id
        for outcome in outcomes
        if outcome.ending is Ending.ACKNOWLEDGED
        and outcome.upload.mode.is_external
        and outcome.upload_id is not None
    }
