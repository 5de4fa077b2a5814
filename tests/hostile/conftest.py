"""Servers for hostile bytes: a bucket and a broker of their own, an upstream that takes all."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import S3Store
from tests.gateway.store.conftest import open_bucket
from tests.hostile.doors import EACH, Door, Doors
from tests.hostile.never import Watch
from tests.hostile.upstream import Reading, reading
from tests.servers.databases import Databases
from tests.servers.gateway import start_worker

BUCKET = "hostile"


@pytest.fixture(scope="session")
def upstream() -> Iterator[Reading]:
    with reading() as started:
        yield started


@pytest.fixture(scope="session")
def hostile_environ(
    environ: dict[str, str], databases: Databases, upstream: Reading
) -> Iterator[dict[str, str]]:
    with databases.lend() as redis_url:
        yield {
            **environ,
            "GATEWAY_AUTH": "static",
            "GATEWAY_BODY_TIMEOUT": "1",
            "GATEWAY_MAX_FILE_SIZE": "1MiB",
            "GATEWAY_REDIS_URL": redis_url,
            "GATEWAY_S3_BUCKET": BUCKET,
            "GATEWAY_UPSTREAM_URL": upstream.url,
        }


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bucket(seaweedfs: SeaweedFS) -> AsyncIterator[S3Store]:
    async with open_bucket(seaweedfs, BUCKET, seaweedfs.endpoint_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def doors(
    hostile_environ: dict[str, str], servers_dir: Path, upstream: Reading, bucket: S3Store
) -> Iterator[Doors]:
    assert bucket is not None  # and there, before a worker sweeps it
    with (
        start_worker(hostile_environ, servers_dir),
        Doors(hostile_environ, servers_dir / "doors", upstream) as opened,
    ):
        yield opened


@pytest.fixture(scope="session")
def accepted() -> set[str]:
    return set()


@pytest.fixture(scope="session", params=EACH, ids=str)
def door(request: pytest.FixtureRequest, doors: Doors) -> Door:
    """Each gateway in turn; name another with `indirect`.

    By its scope all tests of one gateway stand together, so few processes of tests start the same.
    """
    return doors.door(request.param)


@pytest.fixture
def watch(door: Door, bucket: S3Store, accepted: set[str]) -> Watch:
    return Watch(door, bucket, accepted)
