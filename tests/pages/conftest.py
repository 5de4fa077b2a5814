"""A bucket of each test's own for the operator's page."""

from collections.abc import AsyncIterator

import pytest

from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import S3Store
from tests.pages.ground import own_bucket


@pytest.fixture
async def bucket(seaweedfs: SeaweedFS) -> AsyncIterator[tuple[str, S3Store]]:
    async with own_bucket(seaweedfs) as opened:
        yield opened


@pytest.fixture
def kept(bucket: tuple[str, S3Store]) -> S3Store:
    return bucket[1]
