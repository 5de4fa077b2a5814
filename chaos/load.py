"""The clients, which send the planned uploads on time, and repeat those with a key."""

import asyncio
import base64
import hashlib
import io
import json
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from chaos.answers import Answer, Ending, Outcome, ending_of, pause
from chaos.stack import Told
from chaos.uploads import MIB, THREAD, Mode, Planned, content_of

PATIENCE: Final = 240.0
"""Seconds after which a client with a key gives up."""

_TRY_SECONDS = 60.0
_REGISTERED = frozenset({200, 201})

TUS: Final = {"Tus-Resumable": "1.0.0"}
"""What every request by tus has."""

_OK: Final = 200
_CREATED: Final = 201
_ERROR: Final = 400
_CONFLICT: Final = 409
_LONGEST_PART = 6 * MIB
_CUT_SHARE = 0.3


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
            sender = _Phone if upload.mode is Mode.PHONE else Sender
            done(await sender(session, told, upload, content).run())

    async with open_session(told) as session, asyncio.TaskGroup() as group:
        for _ in range(load.clients):
            group.create_task(client(session))


def open_session(told: Told) -> aiohttp.ClientSession:
    """The connections of clients to the gateway.

    Each request has its own, as after a fault, so it reaches either process.
    """
    return aiohttp.ClientSession(
        told.gateway,
        headers={"Authorization": f"Bearer {told.token}"},
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        timeout=aiohttp.ClientTimeout(total=_TRY_SECONDS),
    )


class Sender:
    """Sends one upload, once or until it has a final answer."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        told: Told,
        upload: Planned,
        content: bytes,
        *,
        path: str | None = None,
    ) -> None:
        """Send `content` to `path`; by default to where the upload's mode is delivered."""
        self._session = session
        self._upload = upload
        self._content = content
        self._path = path or (
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
        """Send it; returns how that ended."""
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
                return await read_answer(response)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None


class _Phone(Sender):
    """Sends one upload by tus, from where the gateway has it after each cut."""

    _at: str | None = None
    _upload_id: str | None = None

    async def _try(self) -> Answer | None:
        try:
            if self._at is None and (refusal := await self._create()) is not None:
                return refusal
            return await self._continue()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def _create(self) -> Answer | None:
        """Begin the upload; returns the answer if that did not work."""
        metadata = {"filename": self._upload.name, "filetype": self._upload.content_type}
        headers = {
            **TUS,
            **self._headers,
            "Upload-Length": str(len(self._content)),
            "Upload-Metadata": ",".join(
                f"{name} {base64.b64encode(value.encode()).decode()}"
                for name, value in metadata.items()
            ),
        }
        async with self._session.post(f"/gateway/tus{self._path}", headers=headers) as response:
            answer = await read_answer(response)
        if answer.status != _CREATED or answer.location is None:
            return answer
        self._at, self._upload_id = urlsplit(answer.location).path, answer.upload_id
        return None

    async def _continue(self) -> Answer | None:
        """Send the rest; returns None if the gateway has it at another place by now."""
        async with self._session.head(self._at or "", headers=TUS) as response:
            if response.status != _OK:
                return await read_answer(response)
            offset = int(response.headers["Upload-Offset"])
        answer = Answer(_OK, self._upload_id)
        while offset < len(self._content):
            async with self._send(offset) as response:
                answer = replace(await read_answer(response), upload_id=self._upload_id)
                if answer.status == _CONFLICT:
                    return None
                if answer.status >= _ERROR:
                    return answer
                offset = int(response.headers["Upload-Offset"])
        return answer

    def _send(self, offset: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        rest = self._content[offset : offset + random.randint(1, _LONGEST_PART)]
        headers = {
            **TUS,
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(rest)),
            "Upload-Offset": str(offset),
        }
        return self._session.patch(self._at or "", data=_often_cut(rest), headers=headers)


async def _often_cut(data: bytes) -> AsyncIterator[bytes]:
    """The bytes, or some of them and the end of the connection."""
    at = random.randrange(len(data))
    yield data[:at]
    if random.random() < _CUT_SHARE:
        raise ConnectionResetError("the client has left")
    yield data[at:]


async def read_answer(response: aiohttp.ClientResponse) -> Answer:
    """What a client uses of an answer."""
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
