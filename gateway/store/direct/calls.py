"""The S3 calls, over aiobotocore's HTTP session but without the rest of aiobotocore."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aiobotocore.response import StreamingBody
from botocore.exceptions import BotoCoreError

from gateway.store.calls import Fetched, Headers, PartPut, Put, S3Calls
from gateway.store.direct import requests
from gateway.store.direct.exchange import SIGNATURE, Exchange
from gateway.store.sdk import SdkCalls

if TYPE_CHECKING:
    from aiobotocore.credentials import AioCredentials
    from types_aiobotocore_s3 import S3Client


class DirectCalls:
    """`S3Calls` (see there) by our own exchange."""

    def __init__(self, exchange: Exchange) -> None:
        """See `open_calls`."""
        self._exchange = exchange

    async def put_object(self, put: Put) -> Headers:
        """PutObject."""
        return (await self._exchange.ask(requests.put_object(put))).headers

    async def upload_part(self, part: PartPut) -> Headers:
        """UploadPart."""
        return (await self._exchange.ask(requests.upload_part(part))).headers

    async def get_object(self, key: str, byte_range: str | None = None) -> Fetched:
        """GetObject."""
        found = await self._exchange.ask(requests.get_object(key, byte_range))
        # Without a Content-Length, the only check is for the end of the connection or the last
        # chunk.
        length = cast(int, found.headers.get("content-length"))
        return Fetched(found.status_code, found.headers, StreamingBody(found.raw, length))

    async def head_object(self, key: str, *, checksum: bool = False) -> Headers:
        """HeadObject."""
        return (await self._exchange.ask(requests.head_object(key, checksum=checksum))).headers

    async def delete_object(self, key: str) -> None:
        """DeleteObject."""
        await self._exchange.ask(requests.delete_object(key))


async def open_calls(client: S3Client, bucket: str, credentials: AioCredentials | None) -> S3Calls:
    """Calls in the bucket, for as long as the client is open.

    They are aiobotocore's own if the bucket needs another kind of signature, or has a name that the
    client refuses.
    """
    try:
        endpoint = await Exchange.find(client, bucket)
    except BotoCoreError:
        return SdkCalls(client, bucket)
    if endpoint.signature != SIGNATURE:
        return SdkCalls(client, bucket)
    return DirectCalls(Exchange(client, bucket, credentials, endpoint))
