"""One bucket, and a key prefix of its own for each test."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from gateway.choices import S3ClientName
from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import S3Store
from tests.servers.store_proxy import FaultProxy


@pytest.fixture(scope="session")
def bucket() -> str:
    return "store-tests"


@pytest.fixture(scope="session")
def client_name(request: pytest.FixtureRequest) -> S3ClientName:
    """The default, unless a module has its tests run with either."""
    return S3ClientName(getattr(request, "param", S3ClientName.DIRECT))


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4()}/"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def store(
    seaweedfs: SeaweedFS, bucket: str, client_name: S3ClientName
) -> AsyncIterator[S3Store]:
    async with open_bucket(seaweedfs, bucket, seaweedfs.endpoint_url, client_name) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_proxy(seaweedfs: SeaweedFS) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.start(seaweedfs.endpoint_url) as started:
        yield started


@pytest.fixture
def proxy(running_proxy: FaultProxy) -> Iterator[FaultProxy]:
    yield running_proxy
    running_proxy.mend()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shaky_store(
    running_proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str, client_name: S3ClientName
) -> AsyncIterator[S3Store]:
    """The same bucket, reached through the proxy."""
    async with open_bucket(seaweedfs, bucket, running_proxy.url, client_name) as opened:
        yield opened


@asynccontextmanager
async def open_bucket(
    server: SeaweedFS,
    bucket: str,
    endpoint_url: str,
    client_name: S3ClientName = S3ClientName.DIRECT,
) -> AsyncIterator[S3Store]:
    async with S3Store.open(
        endpoint_url=endpoint_url,
        bucket=bucket,
        region="us-east-1",
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
        client_name=client_name,
    ) as opened:
        await opened.ensure_bucket()
        yield opened
