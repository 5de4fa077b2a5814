"""`external`: the bytes go to the store, and ChatKitty receives a reference to them.

The upload is acknowledged when `accept` returns: the file and its record are durable.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from gateway import crash
from gateway.auth.principal import Principal
from gateway.backends import Backends
from gateway.choices import Hash
from gateway.delivery.admitted import NAMES_NO_USER, Admitted
from gateway.delivery.form import Form, FormReader
from gateway.errors import AnotherUser, StoreUnavailable, UploadSuperseded
from gateway.limits.budget import Budget, Holding
from gateway.metrics.catalogue import PHASE_SECONDS
from gateway.metrics.instruments import Distribution
from gateway.multipart import Scanner
from gateway.records.bucket import UNTOUCHED_FOR
from gateway.records.completion_events import CompletionEvents
from gateway.records.spare import spare_of
from gateway.store.writer import ObjectWriter, StoredObject
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import advance, is_end
from gateway.uploads.record import State, Upload
from gateway.upstream.endpoints import Endpoint
from gateway.upstream.reference import check_fields, fields_of_user

log = get_logger(__name__)

_BUDGET_PATIENCE = 1.0
_LOOK_AGAIN = 2.0
"""Seconds after which a waiting request looks at the record by itself."""

_LAST_LOOK = 3.0
"""Time-out in seconds of the last look at the record, when the wait is over."""


class _Phases(NamedTuple):
    """How the time was spent: until the body had arrived, until it was durable, until the end."""

    body: Distribution = PHASE_SECONDS.of("external", "body")
    store: Distribution = PHASE_SECONDS.of("external", "store")
    wait: Distribution = PHASE_SECONDS.of("external", "wait")


_PHASES: Final = _Phases()


@dataclass(frozen=True, slots=True)
class Received:
    """An upload with its file in the store, but without a record yet.

    `completed_after` is a time of the monotonic clock before which the file was not complete.
    `uncontested_until`: no other process touches it until then (epoch seconds, the store's time);
    None if the age of the file at the store is not known.
    """

    upload: Upload
    writer: ObjectWriter
    completed_after: float
    uncontested_until: float | None


@dataclass(frozen=True, slots=True)
class ExternalDelivery:
    """What the delivery works with."""

    backends: Backends
    notices: CompletionEvents
    budget: Budget

    async def receive(
        self, admitted: Admitted, body: AsyncIterator[bytes], memory: Holding
    ) -> "Received":
        """Store the file of the form; parts of it are buffered in `memory`.

        Raises what the form, the store and the memory refuse; then nothing is left behind.
        """
        writer = ObjectWriter(self.backends.store, keys.incoming(admitted.upload_id), memory)
        try:
            form = await self._take(admitted, body, writer)
            begun = time.monotonic()
            upload = self._record(admitted, form)
            stored = await writer.finish(spare_of(upload, self.backends.ring))
        except BaseException:
            await asyncio.shield(writer.abort())
            raise
        crash.point(crash.Point.EXTERNAL_STORED)
        until = _uncontested_until(stored, time.monotonic() - begun)
        return Received(upload, writer, begun, until)

    async def accept(self, received: "Received", *, contested: bool = False) -> Upload:
        """Write the upload's record, which acknowledges it, and hand it to the workers.

        `contested`: not only a sweeper but also another request may take its place. Raises
        UploadSuperseded; then nothing is left behind. Raises StoreUnavailable; then it is unknown
        whether the upload was accepted. If it was not, the sweeper removes what remains.
        """
        upload = received.upload
        try:
            await self.backends.accept_hosted(
                upload, uncontested_until=None if contested else received.uncontested_until
            )
        except UploadSuperseded:
            await asyncio.shield(received.writer.abort())
            raise
        _PHASES.store.observe(time.monotonic() - received.completed_after)
        return upload

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
        clock = asyncio.get_running_loop().time
        deadline = clock() + limit
        async with self.notices.watch(upload.id) as ended:
            while not is_end(upload.state) and (left := deadline - clock()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, _LOOK_AGAIN)):
                        await ended.wait()
                ended.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(deadline - clock(), _LAST_LOOK)):
                        upload = await self._look(upload)
        _PHASES.wait.observe(clock() - deadline + limit)
        return upload

    async def _look(self, upload: Upload) -> Upload:
        try:
            return await self.backends.ledger.find_ended(upload.id)
        except StoreUnavailable as error:
            log.warning("upload.not_seen", error=repr(error))
            return upload

    async def _take(
        self, admitted: Admitted, body: AsyncIterator[bytes], writer: ObjectWriter
    ) -> Form:
        """The form; its file has gone to the writer."""
        started = time.monotonic()
        reader = FormReader(
            Scanner(admitted.boundaries),
            max_file_size=admitted.route.max_file_size,
            max_form_size=self.backends.settings.max_form_size,
            sha256=self.backends.settings.hash is Hash.SHA256,
        )
        async for chunk in body:
            for data in reader.receive_data(chunk):
                await writer.write(data)
        form = reader.finish()
        if admitted.route.endpoint is not None:
            form = replace(form, fields=_fields(admitted.route.endpoint, form, admitted.principal))
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


def _uncontested_until(stored: StoredObject, took: float) -> float | None:
    """Until when no other process touches the upload; writing its file took `took` seconds.

    Only the store's clock is sure to advance while this process or its machine is suspended.
    """
    return None if stored.at is None else stored.at + UNTOUCHED_FOR - took


def _fields(endpoint: Endpoint, form: Form, principal: Principal) -> tuple[tuple[str, str], ...]:
    """The parts to register the file with: what is decided here is what is recorded."""
    if principal.acts_as is None:
        check_fields(endpoint, form.fields)
        return form.fields
    if (username := principal.acts_as.username) is None:
        raise AnotherUser(NAMES_NO_USER)
    return fields_of_user(endpoint, form.fields, username)
