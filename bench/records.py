"""Records of hosted uploads in a bucket, as if the uploads had been made."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from gateway.choices import Delivery
from gateway.store.objects import ObjectStore
from gateway.uploads import keys
from gateway.uploads.lifecycle import begin
from gateway.uploads.record import File, State, Target, Terms, Upload, to_json

AT_A_TIME = 64


def stored(upload_id: str, began: datetime, subject: str = "bench") -> Upload:
    """An upload as it is after its acceptance."""
    return Upload(
        id=upload_id,
        subject=subject,
        request_id="bench",
        delivery=Delivery.EXTERNAL,
        target=Target("POST", "/v1/channels/1/messages"),
        history=begin(began, State.STORED, began),
        files=(File(name="a.png", original_name="a.png", declared_type="image/png", size=1),),
        terms=Terms(),
        url="http://files.example/a.png",
    )


async def write(store: ObjectStore, uploads: Iterable[Upload]) -> None:
    """Write their records: those of uploads that wait are pending."""
    left = iter(uploads)

    async def writer() -> None:
        for upload in left:
            place = keys.pending if upload.state is State.STORED else keys.record
            await store.put(place(upload.id), to_json(upload))

    await asyncio.gather(*(writer() for _ in range(AT_A_TIME)))
