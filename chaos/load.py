"""The clients, which send the planned uploads on time, and repeat those with a key."""

import asyncio
import hashlib
import io
import json
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

from chaos.answers import Answer, Ending, Outcome, ending_of, pause
from chaos.stack import Told
from chaos.uploads import THREAD, Planned, content_of

PATIENCE: Final = 240.0
"""Seconds after which a client with a key gives up."""

_TRY_SECONDS = 60.0
_REGISTERED = frozenset({200, 201})


@dataclass(frozen=True, slots=True)
class Load:
    """The uploads of a run, and how many clients send them."""

    seed: int
    uploads: Sequence[Planned]
    clients: int


async def run_load(load: Load, told: Told, done: Callable[[Outcome], None]) -> None:
    """Send all uploads; `done` is called with each outcome."""
    left = deque(load.uploads)
    started = time.monotonic()

    async def client(session: aiohttp.ClientSession) -> None:
        while left:
            upload = left.popleft()
            await asyncio.sleep(started + upload.due - time.monotonic())
            content = content_of(upload, load.seed)
            done(await _Sender(session, told, upload, content).run())

    async with (
        # Each request has its own connection, as after a fault, so it reaches either process.
        aiohttp.ClientSession(
            told.gateway,
            headers={"Authorization": f"Bearer {told.token}"},
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=_TRY_SECONDS),
        ) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(load.clients):
            group.create_task(client(session))


class _Sender:
    """Sends one upload, once or until it has a final answer."""

    def __init__(
        self, session: aiohttp.ClientSession, told: Told, upload: Planned, content: bytes
    ) -> None:
        self._session = session
        self._upload = upload
        self._content = content
        self._path = (
            f"/v1/channels/{told.channel}/messages"
            if upload.mode.is_external
            else f"/v1/threads/{THREAD}/messages"
        )
        self._headers = {
            name: value
            for name, value in (("Prefer", upload.prefer), ("Idempotency-Key", upload.key))
            if value is not None
        }

    async def run(self) -> Outcome:
        started = time.monotonic()
        chance = random.Random(self._upload.name)
        statuses: list[int] = []
        answer: Answer | None = None
        ending: Ending | None = None
        while ending is None:
            found = await self._try()
            statuses.append(found.status if found else 0)
            answer = found or answer
            ending = ending_of(self._upload.mode, found)
            if ending is None and not self._upload.mode.is_keyed:
                ending = Ending.UNACKNOWLEDGED
            if ending is None:
                wait = pause(len(statuses), found, chance.random())
                if time.monotonic() + wait - started > PATIENCE:
                    ending = Ending.UNANSWERED
                else:
                    await asyncio.sleep(wait)
        return Outcome(
            upload=self._upload,
            ending=ending,
            sha256=hashlib.sha256(self._content).hexdigest(),
            answer=answer,
            statuses=tuple(statuses),
            seconds=time.monotonic() - started,
        )

    async def _try(self) -> Answer | None:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field(
            "file",
            io.BytesIO(self._content),
            filename=self._upload.name,
            content_type=self._upload.content_type,
        )
        try:
            async with self._session.post(self._path, data=form, headers=self._headers) as response:
                return await _read(response)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None


async def _read(response: aiohttp.ClientResponse) -> Answer:
    body = await response.read()
    retry_after = response.headers.get("Retry-After", "")
    return Answer(
        status=response.status,
        upload_id=response.headers.get("Upload-Id"),
        location=response.headers.get("Location"),
        retry_after=float(retry_after) if retry_after.isdecimal() else 0.0,
        message_id=_message_id(response.status, body),
    )


def _message_id(status: int, body: bytes) -> int | None:
    """The id of the message that the upload became, if the answer is that message."""
    if status not in _REGISTERED:
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return None
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, int) else None
