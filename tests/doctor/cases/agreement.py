"""Gateways and workers that run with different settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from cryptography.fernet import Fernet
from redis.asyncio import Redis as AsyncRedis

from gateway.agreement import Role, announcement, running
from gateway.settings import load
from tests.doctor.ground import Break, Case, Changes, Ground, changed
from tests.doctor.wires import own_redis


def running_with(**of_worker: str) -> Break:
    """A gateway runs with the same settings, and a worker with others."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        with own_redis(ground.directory) as address:
            async with AsyncRedis.from_url(f"redis://{address}/0") as redis:
                for role, changes in ((Role.GATEWAY, {}), (Role.WORKER, of_worker)):
                    settings = load(changed(ground.environ, changes))
                    await running(redis, announcement(settings, role))
            yield {"REDIS_URL": f"redis://{address}/0"}

    return broken


_ALL_THE_SAME: Final = "give all gateways and workers the same values, and restart them"
AGREEMENT: Final = [
    Case(
        "two secret keys",
        "agreement",
        "worker … runs with another GATEWAY_SECRET_KEY than these settings",
        _ALL_THE_SAME,
        running_with(SECRET_KEY=Fernet.generate_key().decode()),
    ),
    Case(
        "two buckets",
        "agreement",
        "worker … runs with another GATEWAY_S3_BUCKET than these settings",
        _ALL_THE_SAME,
        running_with(S3_BUCKET="another"),
    ),
]
