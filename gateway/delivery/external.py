"""`external`: the bytes go to the store, and ChatKitty receives a reference to them.

The upload is acknowledged when `deliver` returns: the file and its record are durable. The record
is offered to the workers if its client waits for the end anyway, and else written here.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from gateway import crash
from gateway.auth.principal import Principal
from gateway.backends import Backends, note_hosted
from gateway.choices import Hash
from gateway.delivery.admitted import NAMES_NO_USER, Admitted
from gateway.delivery.form import Form, FormReader, Reader
from gateway.delivery.offering import Offering
from gateway.errors import AnotherUser, StoreUnavailable, UploadSuperseded
from gateway.limits.budget import Budget, Holding
from gateway.metrics.catalogue import PHASE_SECONDS
from gateway.metrics.instruments import Distribution
from gateway.multipart import Scanner
from gateway.records import offers, sealed
from gateway.records.bucket import UNTOUCHED_FOR
from gateway.records.completion_events import CompletionEvents, Notice
from gateway.records.spare import spare_of
from gateway.store.writer import ObjectWriter, StoredObject
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step, advance, is_end
from gateway.uploads.record import State, Upload
from gateway.upstream.endpoints import Endpoint
from gateway.upstream.reference import check_fields, fields_of_user

log = get_logger(__name__)

_BUDGET_PATIENCE = 1.0
_LOOK_AGAIN = 2.0
"""Seconds after which a waiting request looks at the record by itself."""

_OFFERED_FOR = 2.0
"""Seconds after which the gateway writes the record of an upload that was offered.

Most uploads have ended by then. If the client does not wait for longer, nothing is offered.
"""

_LAST_LOOK = 3.0
"""Time-out in seconds of the last look at the record, when the wait is over."""


class _Phases(NamedTuple):
    """How the time was spent: until the body had arrived, until the workers had it, the rest."""

    body: Distribution = PHASE_SECONDS.of("external", "body")
    store: Distribution = PHASE_SECONDS.of("external", "store")
    wait: Distribution = PHASE_SECONDS.of("external", "wait")


_PHASES: Final = _Phases()


@dataclass(frozen=True, slots=True)
class Received:
    """An upload with its file in the store, but without a record yet; `sealed` is what that has.

    `completed_after` is a time of the monotonic clock before which the file was not complete.
    `uncontested_until`: no other process touches it until then (epoch seconds, the store's time);
    None if the age of the file at the store is not known.
    """

    upload: Upload
    sealed: str
    writer: ObjectWriter
    completed_after: float
    uncontested_until: float | None


@dataclass(frozen=True, slots=True)
class ExternalDelivery:
    """What the delivery works with."""

    backends: Backends
    notices: CompletionEvents
    budget: Budget
    offering: Offering = field(default_factory=Offering)

    async def receive(
        self, admitted: Admitted, reader: Reader, body: AsyncIterator[bytes], memory: Holding
    ) -> "Received":
        """Store the file that `reader` finds in the body; parts of it are buffered in `memory`.

        Raises what the form, the store and the memory refuse; then nothing is left behind.
        """
        writer = ObjectWriter(self.backends.store, keys.incoming(admitted.upload_id), memory)
        try:
            form = await self._take(admitted, reader, body, writer)
            begun = time.monotonic()
            upload = self._record(admitted, form)
            spare = spare_of(upload, self.backends.ring)
            stored = await writer.finish(spare)
        except BaseException:
            await asyncio.shield(writer.abort())
            raise
        crash.point(crash.Point.EXTERNAL_STORED)
        until = _uncontested_until(stored, time.monotonic() - begun)
        return Received(upload, spare.text, writer, begun, until)

    async def deliver(
        self, received: "Received", wait: float, *, contested: bool = False
    ) -> Upload:
        """Have the upload accepted and processed; it is acknowledged when this returns.

        Returns its end, or its last known state after `wait` seconds. `contested`: not only a
        sweeper but also another request may take its place. Raises UploadSuperseded; then nothing
        is left behind. Raises StoreUnavailable; then it is unknown whether the upload was accepted.
        If it was not, the sweeper removes what remains.
        """
        if wait > _OFFERED_FOR and self._may_be_offered(received):
            return await self._offer(received, wait)
        upload = received.upload
        until = None if contested else received.uncontested_until
        async with _removed_if_superseded(received):
            await self.backends.accept_hosted(upload, uncontested_until=until)
        _PHASES.store.observe(time.monotonic() - received.completed_after)
        return await self.wait_for_end(upload, wait) if wait > 0 else upload

    def reserve(self, admitted: Admitted) -> AbstractAsyncContextManager[Holding]:
        """Memory for the parts of the upload, reserved before its body is read.

        Raises BudgetExhausted if none becomes free within a moment; later, see `Budget.hold`.
        """
        return self.budget.hold(
            admitted.principal.subject, admitted.content_length, _BUDGET_PATIENCE
        )

    async def wait_for_end(self, upload: Upload, limit: float) -> Upload:
        """An accepted upload once it has finished, or its last known state after `limit` seconds.

        If the store is unavailable in the meantime, the client gets the same answer: the upload is
        safe.
        """
        begun = _now()
        async with self.notices.watch(upload.id) as notice:
            upload = await self._wait(upload, notice, begun + limit)
        _PHASES.wait.observe(_now() - begun)
        return upload

    def _may_be_offered(self, received: "Received") -> bool:
        """Whether the record may go to the workers first; then an offer has begun."""
        # Workers judge an offer by the file's age, which says nothing about a file in parts.
        in_one_part = received.uncontested_until is not None
        return in_one_part and offers.fits(received.sealed) and self.offering.begin(_now())

    async def _offer(self, received: "Received", limit: float) -> Upload:
        """Offer the record to the workers, and write it if the upload has not ended soon."""
        begun, upload = _now(), received.upload
        async with self.notices.watch(upload.id) as notice:
            taken: bool | None = None
            try:
                self.backends.queue.send(Step.INSPECT, upload.id, received.sealed)
                _PHASES.store.observe(time.monotonic() - received.completed_after)
                await _heard(notice, _OFFERED_FOR)
                end = self._end_told(upload, notice)
                taken = end is not None or await self._is_taken(received)
            finally:
                self.offering.end(_now(), taken=taken)
            if end is not None:
                await self.backends.ledger.remember(upload)
                note_hosted(upload)
            else:
                end = await self._wait(upload, notice, begun + limit)
        _PHASES.wait.observe(_now() - begun)
        return end

    async def _is_taken(self, received: "Received") -> bool:
        """Whether a worker has written the record that was offered; it is written here if not."""
        crash.point(crash.Point.EXTERNAL_OFFERED)
        async with _removed_if_superseded(received):
            untaken = await self.backends.ledger.accept_offered(received.upload)
        note_hosted(received.upload)
        if untaken:
            log.info("offer.untaken")
            self.backends.queue.send(Step.INSPECT, received.upload.id)
        return not untaken

    async def _wait(self, upload: Upload, notice: Notice, deadline: float) -> Upload:
        while not is_end(upload.state) and (left := deadline - _now()) > 0:
            await _heard(notice, min(left, _LOOK_AGAIN))
            if (end := self._end_told(upload, notice)) is not None:
                return end
            notice.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(deadline - _now(), _LAST_LOOK)):
                    upload = await self._look(upload)
        return upload

    def _end_told(self, upload: Upload, notice: Notice) -> Upload | None:
        """The end of the upload, if the notice came and contains it."""
        end = sealed.unseal(notice.sealed, self.backends.ring) if notice.sealed else None
        return end if end is not None and end.id == upload.id and is_end(end.state) else None

    async def _look(self, upload: Upload) -> Upload:
        try:
            return await self.backends.ledger.find_ended(upload.id)
        except StoreUnavailable as error:
            log.warning("upload.not_seen", error=repr(error))
            return upload

    def form_reader(self, admitted: Admitted) -> Reader:
        """What reads the upload's multipart body."""
        return FormReader(
            Scanner(admitted.boundaries),
            max_file_size=admitted.route.max_file_size,
            max_form_size=self.backends.settings.max_form_size,
            sha256=self.backends.settings.hash is Hash.SHA256,
        )

    async def _take(
        self,
        admitted: Admitted,
        reader: Reader,
        body: AsyncIterator[bytes],
        writer: ObjectWriter,
    ) -> Form:
        """The form; its file has gone to the writer."""
        started = time.monotonic()
        async for chunk in body:
            for data in reader.receive_data(chunk):
                await writer.write(data)
        form = reader.finish()
        if admitted.route.endpoint is not None:
            fields = fields_of(admitted.route.endpoint, form.fields, admitted.principal)
            form = replace(form, fields=fields)
        _PHASES.body.observe(time.monotonic() - started)
        return replace(form, file=replace(form.file, crc32c=writer.crc32c))

    def _record(self, admitted: Admitted, form: Form) -> Upload:
        now = datetime.now(UTC)
        return replace(
            advance(admitted.receiving(), State.STORED, now),
            files=(form.file,),
            fields=form.fields,
            url=self.backends.file_url(admitted.upload_id, form.file.name, now),
            authorization=self.backends.sealed(admitted.authorization),
        )


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _heard(notice: Notice, seconds: float) -> None:
    """Wait for the notice, for at most `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await notice.wait()


@asynccontextmanager
async def _removed_if_superseded(received: Received) -> AsyncIterator[None]:
    """Leave nothing behind of an upload that was fenced off before it was accepted."""
    try:
        yield
    except UploadSuperseded:
        await asyncio.shield(received.writer.abort())
        raise


def _uncontested_until(stored: StoredObject, took: float) -> float | None:
    """Until when no other process touches the upload; writing its file took `took` seconds.

    Only the store's clock is sure to advance while this process or its machine is suspended.
    """
    return None if stored.at is None else stored.at + UNTOUCHED_FOR - took


def fields_of(
    endpoint: Endpoint, fields: tuple[tuple[str, str], ...], principal: Principal
) -> tuple[tuple[str, str], ...]:
    """The parts to register the file with: what is decided here is what is recorded.

    Raises InvalidField, AnotherUser.
    """
    if principal.acts_as is None:
        check_fields(endpoint, fields)
        return fields
    if (username := principal.acts_as.username) is None:
        raise AnotherUser(NAMES_NO_USER)
    return fields_of_user(endpoint, fields, username)
