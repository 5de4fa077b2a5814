"""What the last sweep found: kept in Redis, for all processes that serve metrics."""

from typing import Final, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import kept
from gateway.telemetry import get_logger
from gateway.uploads import keys

log = get_logger(__name__)

_KEPT_SECONDS: Final = 86_400

KINDS: Final = ("files", "orphans", "pending", "records", "copies")
"""What is counted: hosted files, files without a record, records, and copies of records."""


class Orphans(msgspec.Struct, frozen=True):
    """Complete files without a record, by whether they are known to have been accepted."""

    accepted: int = 0
    unknown: int = 0


class Count(msgspec.Struct, frozen=True):
    """Objects and bytes of the whole bucket, by kind; sweeps have counted them since `began`."""

    began: float
    objects: dict[str, int]
    bytes: dict[str, int]


class BacklogSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is in seconds since the epoch, `oldest` in seconds.

    `sessions` is the number of uploads that come in several requests, None if it was not counted.
    `outbox_oldest`: seconds for which the oldest message to a webhook has waited, 0 if none waits.
    `queued` has the number of messages in each queue, and is empty if the broker is unavailable.
    `counted` is None until the sweeper has listed the whole bucket once.
    """

    at: float
    pending: int
    oldest: float
    queued: dict[str, int]
    orphans: Orphans = Orphans()
    sessions: int | None = None
    outbox_oldest: float | None = None
    counted: Count | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(BacklogSnapshot)


async def keep(redis: Redis, findings: BacklogSnapshot) -> None:
    """Publish the findings, if Redis can be reached."""
    try:
        await redis.set(keys.FINDINGS, _encoder.encode(findings), ex=_KEPT_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("sweep.redis_unavailable", error=repr(error))


async def look(redis: Redis) -> BacklogSnapshot | None:
    """The last snapshot; None if there is no recent one, or Redis does not answer."""
    try:
        document = cast(bytes | None, await redis.get(keys.FINDINGS))
    except (RedisError, OSError):
        return None
    try:
        return kept.read(_decoder, document) if document is not None else None
    except msgspec.MsgspecError:  # of another version
        return None
