"""Whether all gateways and workers that share a Redis have the settings on which they must agree.

Each process announces itself in Redis while it runs, by digests that reveal nothing without the
secret key. No request depends on it: while Redis is unavailable, the processes are not compared.
"""

import asyncio
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from secrets import token_hex
from typing import Final, cast
from urllib.parse import unquote, urlsplit

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.brokers.kinds import BrokerKind, kind_of
from gateway.redis.address import RedisAddress
from gateway.settings import PREFIX, Settings
from gateway.telemetry import get_logger
from gateway.uploads import keys

log = get_logger(__name__)

SECRET_KEY: Final = f"{PREFIX}SECRET_KEY"

_ANNOUNCE_SECONDS: Final = 20.0
_BELIEVED_SECONDS: Final = 50
"""Seconds after its last announcement for which a process is taken to run."""

_FINGERPRINT: Final = b"fingerprint"

# Only Redis' clock counts. An announcement in its future was made before the clock was set back.
_LOOK: Final = """
local now = redis.call('TIME')[1]
if ARGV[2] ~= '' then redis.call('ZADD', KEYS[1], now, ARGV[2]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class Role(StrEnum):
    """The kind of process."""

    GATEWAY = "gateway"
    WORKER = "worker"


class Announcement(msgspec.Struct, frozen=True):
    """One process. `keys` are fingerprints of its secret keys; it writes with the first of them.

    `settings` has, by variable, a digest of its value for each of these keys. `id` is unique:
    containers may share a host name and the number of their first process.
    """

    role: Role
    name: str
    keys: tuple[str, ...]
    settings: Mapping[str, tuple[str, ...]]
    id: str = ""

    @property
    def who(self) -> str:
        """The process's name for operators."""
        return f"{self.role} {self.name}"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Announcement)


def announcement(settings: Settings, role: Role) -> Announcement:
    """The announcement of this process, with these settings."""
    ring = settings.key_ring()
    digests = {
        variable: ring.digests(f"{variable}={value}".encode())
        for variable, value in _compared(settings).items()
    }
    name = f"{socket.gethostname()}/{os.getpid()}"
    return Announcement(role, name, ring.digests(_FINGERPRINT), digests, token_hex(8))


def _compared(settings: Settings) -> Mapping[str, str]:
    """The settings, by variable, that must be the same for all, apart from the secret key."""
    values = {
        "S3_BUCKET": settings.s3_bucket,
        "UPSTREAM_URL": str(settings.upstream_url),
        "UPSTREAM_CLIENT_ID": settings.upstream_client_id or "",
        "RESUME_FOR": f"{settings.resume_for:g}",
        "BROKER_URL": _place_of(settings.broker),
        **_of_broker(settings),
    }
    return {f"{PREFIX}{name}": value for name, value in values.items()}


def _of_broker(settings: Settings) -> Mapping[str, str]:
    """Settings that matter only with this kind of broker."""
    options = settings.broker_options
    match kind_of(settings.broker):
        case BrokerKind.RABBITMQ:
            return {"BROKER_QUEUE_TYPE": options.queue_type.value}
        case BrokerKind.SQS:
            return {"SQS_REGION": options.sqs_region, "SQS_QUEUES": options.sqs_queues}
        case BrokerKind.REDIS:
            return {}


def _place_of(broker: str) -> str:
    """The kind of broker, and the database or virtual host: the host may have several names."""
    kind = kind_of(broker)
    if kind is BrokerKind.REDIS:
        return f"{kind} {RedisAddress.of(broker).options['db']}"
    return f"{kind} {unquote(urlsplit(broker).path[1:]) or '/'}"


def differences(ours: Announcement, theirs: Announcement) -> Sequence[str]:
    """The variables that differ between two processes. Pure.

    Keys agree if each process can read what the other one writes. They do during the documented
    rotation: all processes can read with a new key before the first one writes with it.
    """
    if ours.keys[0] not in theirs.keys or theirs.keys[0] not in ours.keys:
        return [SECRET_KEY]
    place = theirs.keys.index(ours.keys[0])
    # Another version may compare other settings.
    return [
        variable
        for variable in ours.settings.keys() & theirs.settings.keys()
        if ours.settings[variable][0] != theirs.settings[variable][place]
    ]


async def running(redis: Redis, ours: Announcement | None = None) -> Sequence[Announcement]:
    """The processes that run, after `ours` was announced. Raises RedisError, OSError."""
    packed = _encoder.encode(ours) if ours is not None else b""
    found = await redis.eval(_LOOK, 1, keys.ANNOUNCED, _BELIEVED_SECONDS, packed)
    announced = []
    for each in cast(list[bytes], found):
        with suppress(msgspec.MsgspecError):  # of another version
            announced.append(_decoder.decode(each))
    return announced


async def announce(redis: Redis, ours: Announcement) -> None:
    """Announce this process until cancelled, and log which others have other settings."""
    told: Collection[str] = ()
    try:
        while True:
            with suppress(RedisError, OSError):
                told = _tell(ours, await running(redis, ours), told)
            await asyncio.sleep(_ANNOUNCE_SECONDS)
    finally:
        with suppress(RedisError, OSError):
            await redis.zrem(keys.ANNOUNCED, _encoder.encode(ours))


def _tell(
    ours: Announcement, others: Sequence[Announcement], told: Collection[str]
) -> Collection[str]:
    """Log the processes that differ and are not among `told`. Returns all that differ."""
    differing = {each.who: names for each in others if (names := differences(ours, each))}
    if new := differing.keys() - told:
        names = sorted({name for who in new for name in differing[who]})
        log.warning("settings.differ", settings=names, others=sorted(new))
    return differing.keys()
