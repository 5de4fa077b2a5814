"""`external`: the bytes go to the store, and ChatKitty is given a reference to them.

The moment of acknowledgement is the end of `receive`: the object and its record are durable.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec.structs import replace

from gateway.delivery.admitted import Admitted
from gateway.delivery.form import Form, FormReader
from gateway.errors import StoreUnavailable
from gateway.limits.budget import Budget
from gateway.multipart import Scanner
from gateway.settings import Delivery, Hash
from gateway.store.parts import reservation
from gateway.store.writer import ObjectWriter
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.backends import Backends
from gateway.uploads.ids import file_token
from gateway.uploads.lifecycle import Step, begin, is_end
from gateway.uploads.notices import Notices
from gateway.uploads.record import State, Upload
from gateway.upstream.reference import check_fields

log = get_logger(__name__)

_BUDGET_PATIENCE = 1.0
_LOOK_AGAIN = 2.0
"""Seconds after which a waiting request looks at the record by itself."""


@dataclass(frozen=True, slots=True)
class ExternalDelivery:
    """What the delivery works with."""

    backends: Backends
    notices: Notices
    budget: Budget

    async def receive(self, admitted: Admitted, body: AsyncIterator[bytes]) -> Upload:
        """Store the file of the form, write its record, and hand it to the workers.

        Raises what the form and the store refuse; then nothing is left behind.
        """
        writer = ObjectWriter(self.backends.store, keys.incoming(admitted.upload_id))
        try:
            form = await self._store_file(admitted, body, writer)
            upload = self._record(admitted, form)
            await self.backends.ledger.accept(upload)
        except BaseException:
            await asyncio.shield(writer.abort())
            raise
        log.info("upload.stored", size=form.file.size, delivery=Delivery.EXTERNAL)
        self.backends.queue.send(Step.INSPECT, upload.id)
        return upload

    def reserve(self, admitted: Admitted) -> AbstractAsyncContextManager[None]:
        """Room for the parts that the upload holds in memory, from before its body is taken.

        Raises BudgetExhausted where none is free within a moment.
        """
        return self.budget.reserve(
            reservation(admitted.content_length or admitted.route.max_file_size), _BUDGET_PATIENCE
        )

    async def wait_for_end(self, upload: Upload, limit: float) -> Upload:
        """An accepted upload at its end, or as it was seen last when `limit` seconds are over.

        A store that cannot be asked in the meantime is no reason to tell the client anything
        else: the upload is safe.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + limit
        async with self.notices.watch(upload.id) as ended:
            while not is_end(upload.state) and (left := deadline - clock()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, _LOOK_AGAIN)):
                        await ended.wait()
                ended.clear()
                upload = await self._look(upload)
        return upload

    async def _look(self, upload: Upload) -> Upload:
        try:
            return await self.backends.ledger.find_hosted(upload.id)
        except StoreUnavailable as error:
            log.warning("upload.not_seen", error=repr(error))
            return upload

    async def _store_file(
        self, admitted: Admitted, body: AsyncIterator[bytes], writer: ObjectWriter
    ) -> Form:
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
            check_fields(admitted.route.endpoint, form.fields)
        stored = await writer.finish()
        return replace(form, file=replace(form.file, crc32c=stored.crc32c))

    def _record(self, admitted: Admitted, form: Form) -> Upload:
        name = quote(form.file.name, safe="")
        token = file_token(admitted.upload_id, self.backends.ring)
        base = str(self.backends.settings.public_url).rstrip("/")
        return Upload(
            id=admitted.upload_id,
            subject=admitted.principal.subject,
            request_id=admitted.request_id,
            delivery=Delivery.EXTERNAL,
            target=admitted.target,
            history=begin(admitted.received_at, State.STORED, datetime.now(UTC)),
            files=(form.file,),
            fields=form.fields,
            terms=admitted.route.terms,
            url=f"{base}/gateway/files/{token}/{name}",
            authorization=self._kept_authorization(admitted),
        )

    def _kept_authorization(self, admitted: Admitted) -> str | None:
        """The caller's authorization, encrypted, where the gateway has none of its own."""
        if self.backends.settings.upstream_client_id is not None or admitted.authorization is None:
            return None
        return self.backends.ring.encrypt(admitted.authorization)
