"""Claims of idempotency keys: one object in the bucket each, written before a body is read.

Source: draft-ietf-httpapi-idempotency-key-header. Claims change by conditional writes only, so that
a key belongs to only one of any number of replicas. Redis is not involved.
"""

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway import kept
from gateway.errors import (
    IdempotencyKeyReused,
    ObjectNotFound,
    PreconditionFailed,
    UploadInProgress,
)
from gateway.store.objects import ObjectStore
from gateway.uploads.record import Target

LONGEST_KEY: Final = 255
_TRIES: Final = 20
_COME_BACK: Final = 2.0


class Claim(msgspec.Struct, frozen=True):
    """What the key stands for: an upload, and the request that began it.

    `content_length` is None for a chunked body. `released`: the request did nothing, and the next
    one with the key may start afresh.
    """

    upload_id: str
    target: Target
    content_length: int | None
    released: bool = False

    def check(self, target: Target, content_length: int | None) -> None:
        """Raises IdempotencyKeyReused if a different request has the same key."""
        lengths = {self.content_length, content_length} - {None}
        if self.target != target or len(lengths) > 1:
            raise IdempotencyKeyReused("the key was used for another path or another body length")


class Held(msgspec.Struct, frozen=True):
    """A claim as it was read or written, under its key in the bucket; `version` is its ETag."""

    key: str
    claim: Claim
    version: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Claim)
_NOBODYS: Final = Claim("", Target("", ""), None, released=True)


class Claims:
    """The claims in one bucket."""

    def __init__(self, store: ObjectStore, retention: float) -> None:
        """A claim older than `retention` seconds no longer counts."""
        self._store = store
        self._retention = retention

    async def take(self, key: str, claim: Claim) -> tuple[Held, bool]:
        """The claim that holds the key from now on, and whether it is the given one.

        Raises StoreUnavailable, and UploadInProgress if other requests keep changing the claim.
        """
        for _ in range(_TRIES):
            try:
                written = await self._store.put(key, _encoder.encode(claim), if_none_match=True)
                return Held(key, claim, written.etag), True
            except PreconditionFailed:
                pass
            try:
                document = await self._store.get(key)
            except ObjectNotFound:
                continue
            held = Held(key, _decoder.decode(document.content), document.etag)
            if not held.claim.released and document.age <= self._retention:
                return held, False
            if (taken := await self.replace(held, claim)) is not None:
                return taken, True
        raise UploadInProgress("other requests with this key are still in progress", _COME_BACK)

    async def replace(self, held: Held, claim: Claim) -> Held | None:
        """Replace one claim by another; returns None if another process was faster.

        Raises StoreUnavailable.
        """
        try:
            written = await self._store.put(held.key, _encoder.encode(claim), if_match=held.version)
        except PreconditionFailed:
            return None
        return Held(held.key, claim, written.etag)

    async def release(self, held: Held) -> None:
        """Let the next request with the key start afresh. Raises StoreUnavailable."""
        await self.replace(held, replace(held.claim, released=True))

    async def erase(self, key: str, upload_ids: Collection[str]) -> bool:
        """Erase the claim at `key` if it is for one of the uploads; returns whether it was.

        The claim is overwritten without personal data, and the next request with its idempotency
        key starts afresh. It is not deleted: S3 has no conditional deletion, so that could remove a
        new claim. Raises StoreUnavailable.
        """
        while True:
            try:
                document = await self._store.get(key)
                held = Held(key, kept.read(_decoder, document.content), document.etag)
            except (ObjectNotFound, msgspec.DecodeError):
                return False
            if held.claim.upload_id not in upload_ids:
                return False
            if await self.replace(held, _NOBODYS) is not None:
                return True
