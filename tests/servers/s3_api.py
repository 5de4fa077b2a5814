"""Reads botocore's description of S3's API once for a process: by default, each client does."""

from typing import Final

from aiobotocore.session import (  # noqa: TID251 - to spare the tests time
    AioSession,
    get_session,
)
from botocore.loaders import create_loader  # noqa: TID251

from gateway.store import s3

_LOADER: Final = create_loader()


def read_once() -> None:
    """Have all clients of this process and of its forks share the description."""
    vars(s3)["get_session"] = _session


async def read_now() -> None:
    """Read it, for later forks."""
    nowhere = s3.S3Store.open(
        endpoint_url="http://127.0.0.1:1",
        bucket="none",
        region="us-east-1",
        access_key_id="none",
        secret_access_key="none",
    )
    async with nowhere:
        pass


def _session() -> AioSession:
    session = get_session()
    session.register_component("data_loader", _LOADER)
    return session
