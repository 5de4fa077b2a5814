"""The bucket, used as gateways and workers use it, at a key of `doctor`'s own."""

from io import BytesIO
from typing import Final

import aiohttp
import google_crc32c

from gateway.errors import (
    ConfigurationError,
    GatewayError,
    ObjectNotFound,
    PreconditionFailed,
    StoreUnavailable,
)
from gateway.store.objects import ObjectStore

_BYTES: Final = b"probe"
_SECONDS: Final = aiohttp.ClientTimeout(total=30)

_KEYS: Final = "mend GATEWAY_S3_ACCESS_KEY_ID and GATEWAY_S3_SECRET_ACCESS_KEY"
_REMEDIES: Final = {
    "SignatureDoesNotMatch": _KEYS,
    "InvalidAccessKeyId": _KEYS,
    "NoSuchBucket": "make the bucket, or mend GATEWAY_S3_BUCKET",
    "AccessDenied": "let the key get, put and delete objects, and list the bucket",
    "RequestTimeTooSkewed": "set this machine's clock by NTP",
}


async def check_store(store: ObjectStore, key: str) -> None:
    """Raises ConfigurationError with what to mend, or StoreUnavailable."""
    try:
        await _ping(store)
        etag = (await store.put(key, _BYTES)).etag
        await _check_heads(store, key)
        await _check_conditions(store, key, etag)
        await _check_reading(store, key)
        await _check_parts(store, key)
        await store.delete(key)
    except StoreUnavailable as error:
        raise _with_remedy(error) from error


async def _ping(store: ObjectStore) -> None:
    try:
        await store.ping()
    except ObjectNotFound as error:
        raise ConfigurationError(f"there is no bucket: {_REMEDIES['NoSuchBucket']}") from error
    except StoreUnavailable:
        return  # the answer to a HEAD has no body that says why; the next call's has


async def _check_conditions(store: ObjectStore, key: str, etag: str) -> None:
    """Acceptances and leases are conditional writes. Raises ConfigurationError without them."""
    await store.put(key, b"another", if_match=etag)
    for absent, same in ((True, None), (False, etag)):
        try:
            await store.put(key, b"again", if_none_match=absent, if_match=same)
        except PreconditionFailed:
            continue
        raise ConfigurationError("the store ignores If-Match or If-None-Match: use another one")


async def _check_heads(store: ObjectStore, key: str) -> None:
    try:
        await store.head(key)
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"{error} to a HEAD that asks for checksums (x-amz-checksum-mode)"
        ) from error


async def _check_reading(store: ObjectStore, key: str) -> None:
    if await store.read_range(key, 1, 3) != b"not":
        raise ConfigurationError("the store does not answer a Range: use another one")
    url = await store.presigned_get(
        key, expires=600, content_type="text/plain", content_disposition="attachment"
    )
    try:
        async with aiohttp.ClientSession(timeout=_SECONDS) as session, session.get(url) as answer:
            content = await answer.read()
    except (aiohttp.ClientError, OSError) as error:
        raise ConfigurationError(
            "the host of presigned URLs cannot be reached: clients are sent there for their files"
        ) from error
    if content != b"another":
        raise ConfigurationError(
            f"a presigned URL is answered with {answer.status}: the store, or a proxy before it,"
            " has to leave host and query of a request as they are"
        )


async def _check_parts(store: ObjectStore, key: str) -> None:
    multipart = await store.create_multipart(key)
    try:
        await store.upload_part(multipart, 1, BytesIO(_BYTES), google_crc32c.value(_BYTES))
    finally:
        await store.abort_multipart(key, multipart.upload_id)


def _with_remedy(error: StoreUnavailable) -> GatewayError:
    """The error, with what to mend where the store's own name of it tells."""
    remedy = next((text for code, text in _REMEDIES.items() if code in str(error)), None)
    return ConfigurationError(f"{error}: {remedy}") if remedy is not None else error
