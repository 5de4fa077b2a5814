"""`relay`: the bytes go to ChatKitty as they came; the tap on the side tells the workers of them.

The client's answer is the upstream's own. Before its end is given, the upload's record is kept,
so that no relayed file goes unaudited.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from gateway import crash
from gateway.answer import Answer, kept_headers
from gateway.choices import Delivery
from gateway.delivery.admitted import Admitted
from gateway.delivery.forward import Forwarder, Outgoing, read_on
from gateway.delivery.tap import Observation, Tap
from gateway.metrics.requests import relay_phases
from gateway.queue import TaskQueue
from gateway.records.bucket import Entry
from gateway.records.ledger import Ledger
from gateway.settings import Settings
from gateway.uploads.lifecycle import Step, begin
from gateway.uploads.record import State, Upload

SUCCESS = range(200, 300)

ANSWER_LIMIT = 1024 * 1024
"""Bytes of the upstream's answer that are held; ChatKitty's are a few kilobytes."""

_ANSWERED_EARLY = "the upstream answered before the end of the body"
_ANSWER_TOO_LARGE = "the upstream's answer is too large to be audited"


class AnswerHead(msgspec.Struct, frozen=True):
    """The head of the upstream's answer."""

    status: int
    headers: CIMultiDictProxy[str]


@dataclass(frozen=True, slots=True)
class Relayed:
    """The upstream's answer: its head, what was held of its body, and the stream of the rest."""

    response: aiohttp.ClientResponse
    held: bytes


@dataclass(frozen=True, slots=True)
class RelayDelivery:
    """What the delivery works with."""

    settings: Settings
    forwarder: Forwarder
    ledger: Ledger
    queue: TaskQueue

    @asynccontextmanager
    async def send(
        self,
        admitted: Admitted,
        headers: CIMultiDict[str],
        body: AsyncIterator[bytes],
        entry: Entry | None = None,
    ) -> AsyncIterator[Relayed]:
        """Relay the body, and keep the record of an upload that the upstream took.

        It is kept in the place of `entry`, in the bucket, where the upload has a record already.
        Raises what the body, the upstream and the ledger raise.
        """
        tap = Tap(admitted.boundaries, self.settings.hash)
        tapped = _Tapped(body, tap)
        target = admitted.target
        outgoing = Outgoing(target.method, target.path, headers, aiter(tapped))
        started = time.monotonic()
        async with self.forwarder.send(outgoing) as response:
            held = await hold(response.content, self.settings.upstream_timeout)
            if tapped.ended_at is not None:
                relay_phases().body.observe(tapped.ended_at - started)
                relay_phases().upstream.observe(time.monotonic() - tapped.ended_at)
            crash.point(crash.Point.RELAY_ANSWERED)
            if response.status in SUCCESS:
                head = AnswerHead(response.status, response.headers)
                upload = record_of(admitted, tapped.observation(), head, held)
                if entry is None:
                    await self.ledger.accept_relayed(upload)
                else:
                    await self.ledger.complete_relayed(upload, entry)
                crash.point(crash.Point.RELAY_KEPT)
                self.hand_over(upload)
            yield Relayed(response, held)

    def hand_over(self, upload: Upload) -> None:
        """Give an upload whose record is kept to the workers."""
        self.queue.send(Step.AUDIT, upload.id)


class _Tapped:
    """A body on its way, and whether its end has passed."""

    def __init__(self, body: AsyncIterator[bytes], tap: Tap) -> None:
        self._body = body
        self._tap = tap
        self.ended_at: float | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            self._tap.observe(chunk)
            yield chunk
        self.ended_at = time.monotonic()

    def observation(self) -> Observation:
        return observed(self._tap, ended=self.ended_at is not None)


def observed(tap: Tap, *, ended: bool) -> Observation:
    """What the tap saw of a body, of which the end has passed by or not."""
    seen = tap.finish()
    if ended:
        return seen
    return Observation(seen.files, (*seen.ambiguities, _ANSWERED_EARLY), seen.doubted)


async def hold(content: aiohttp.StreamReader, patience: float) -> bytes:
    """An answer's body up to the limit; what is beyond stays in the stream.

    Raises UpstreamUnavailable where it is cut, or silent for `patience` seconds.
    """
    held = bytearray()
    while len(held) <= ANSWER_LIMIT and (chunk := await read_on(content, patience)):
        held += chunk
    return bytes(held)


def record_of(admitted: Admitted, seen: Observation, head: AnswerHead, held: bytes) -> Upload:
    """The record of an upload that the upstream took, as it answered."""
    too_large = (_ANSWER_TOO_LARGE,) if len(held) > ANSWER_LIMIT else ()
    return Upload(
        id=admitted.upload_id,
        subject=admitted.principal.subject,
        request_id=admitted.request_id,
        trace=admitted.trace,
        delivery=Delivery.RELAY,
        target=admitted.target,
        history=begin(admitted.received_at, State.RELAYED, datetime.now(UTC)),
        files=seen.files,
        terms=admitted.route.terms,
        token_until=admitted.token_until,
        ambiguities=(*seen.ambiguities, *too_large),
        doubted=seen.doubted,
        result=Answer(
            head.status,
            kept_headers(head.headers),
            b"" if too_large else held,
        ),
    )
