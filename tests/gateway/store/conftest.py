"""A real SeaweedFS, one bucket in it, and a key prefix of its own for each test."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.store.s3 import S3Store
from tests.gateway.store.proxy import FaultProxy


@dataclass(frozen=True)
class SeaweedFS:
    endpoint_url: str
    access_key_id: str
    secret_access_key: str


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    directory = tmp_path_factory.mktemp("seaweedfs")
    names = ("master", "volume", "filer", "s3", "admin")
    ports = dict(zip([*names, *(f"{name}.grpc" for name in names)], free_ports(10), strict=True))
    server = SeaweedFS(f"http://127.0.0.1:{ports['s3']}", "test-key", "test-secret")
    process = subprocess.Popen(
        [
            weed(),
            "mini",
            f"-dir={directory}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            *(f"-{name}.port{'.grpc' * grpc}={port}" for (name, grpc), port in split(ports)),
        ],
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
            "GOMEMLIMIT": "300MiB",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_up(server.endpoint_url)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def weed() -> str:
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    assert found, "SeaweedFS is in the `embedded` extra"
    return found


def split(ports: dict[str, int]) -> list[tuple[tuple[str, bool], int]]:
    return [((name.removesuffix(".grpc"), ".grpc" in name), port) for name, port in ports.items()]


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]


def wait_until_up(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError as error:  # it answers, if only that we may not
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing answers at {url}")


@pytest.fixture(scope="session")
def bucket() -> str:
    return "store-tests"


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4()}/"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def store(seaweedfs: SeaweedFS, bucket: str) -> AsyncIterator[S3Store]:
    async with S3Store.open(
        endpoint_url=seaweedfs.endpoint_url,
        bucket=bucket,
        region="us-east-1",
        access_key_id=seaweedfs.access_key_id,
        secret_access_key=seaweedfs.secret_access_key,
    ) as opened:
        await opened.ensure_bucket()
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
    running_proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str
) -> AsyncIterator[S3Store]:
    """The same bucket, reached through the proxy."""
    async with S3Store.open(
        endpoint_url=running_proxy.url,
        bucket=bucket,
        region="us-east-1",
        access_key_id=seaweedfs.access_key_id,
        secret_access_key=seaweedfs.secret_access_key,
    ) as opened:
        await opened.ensure_bucket()
        yield opened
