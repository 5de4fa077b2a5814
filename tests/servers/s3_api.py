"""What describes S3's API, read by the first client of a process: by itself each reads it anew."""

from typing import Final

from aiobotocore.session import (  # noqa: TID251 - to spare the tests time
    AioSession,
    get_session,
)
from botocore.loaders import create_loader  # noqa: TID251

from gateway.store import s3

_LOADER: Final = create_loader()


def read_once() -> None:
    """Have every client of this process, and of its forks, share what was read."""
    vars(s3)["get_session"] = _session


async def read_now() -> None:
    """Read it, for forks to come."""
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
