"""A bucket and a Redis of one test: what other tests left would be listed as well."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from gateway.backends import Backends
from tests.servers.aged_store import open_aged_backends


@pytest.fixture
def own_environ(environ: dict[str, str], own_redis_url: str) -> dict[str, str]:
    """Settings with a bucket that no worker sweeps and no other test fills."""
    return environ | {
        "GATEWAY_REDIS_URL": own_redis_url,
        "GATEWAY_BROKER_URL": own_redis_url,
        "GATEWAY_S3_BUCKET": f"own-{uuid4()}",
    }


@pytest.fixture
async def own_backends(own_environ: dict[str, str]) -> AsyncIterator[Backends]:
    async with open_aged_backends(own_environ) as opened:
        yield opened
