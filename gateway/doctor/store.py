"""The bucket, used as gateways and workers use it, under a key of `doctor`'s own."""

from contextlib import suppress
from io import BytesIO
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import google_crc32c

from gateway.doctor.network import Server, why_unreachable
from gateway.errors import (
    ChecksumMismatch,
    ConfigurationError,
    GatewayError,
    ObjectNotFound,
    StoreUnavailable,
)
from gateway.store.conditions import NOT_HEEDED, heeds_conditions
from gateway.store.faults import Cause, cause_of
from gateway.store.objects import ObjectStore
from gateway.store.verification import Verification, verify

_BYTES: Final = b"probe"
_PARTS: Final = (bytes(5 * 1024**2), b"e")
"""The smallest part that S3 allows: all parts except the last have 5 MiB."""

_SECONDS: Final = aiohttp.ClientTimeout(total=30)
_LINK_SECONDS: Final = 3600
"""More seconds than a clock may be wrong before the store refuses its requests anyway."""

_SERVER: Final = Server("the store", "GATEWAY_S3_ENDPOINT_URL", "AWS_CA_BUNDLE")
_KEYS: Final = "correct GATEWAY_S3_ACCESS_KEY_ID and GATEWAY_S3_SECRET_ACCESS_KEY"
_REGION: Final = "set GATEWAY_S3_REGION to the region of the bucket"
_SESSION: Final = "renew GATEWAY_S3_SESSION_TOKEN and the key that it belongs to"
_NO_STORE: Final = "there is no S3 at that address: correct GATEWAY_S3_ENDPOINT_URL"
_ROOM: Final = "look into the store's log, and make room if its disk is full"
_REMEDIES: Final = {
    "SignatureDoesNotMatch": _KEYS,
    "InvalidAccessKeyId": _KEYS,
    "InvalidToken": _SESSION,
    "ExpiredToken": _SESSION,
    "NoSuchBucket": "create the bucket, or correct GATEWAY_S3_BUCKET",
    "InvalidBucketName": "correct GATEWAY_S3_BUCKET",
    "AccessDenied": "allow the key to get, put and delete objects, and to list the bucket",
    "RequestTimeTooSkewed": "set the clock of this machine by NTP",
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "InternalError": _ROOM,
    "XMinioStorageFull": _ROOM,
    "InsufficientStorage": _ROOM,
    "QuotaExceeded": "raise the quota of the bucket",
    "SlowDown": "the store is overloaded: try again, and raise its limits",
    "ServiceUnavailable": "the store is overloaded: try again, and raise its limits",
}
_STATUSES: Final = {
    "301": _REGION,
    "404": _NO_STORE,
    "405": _NO_STORE,
    "500": _ROOM,
    "507": _ROOM,
}
"""Remedies by the status of an answer without a body that names the error."""


async def check_store(store: ObjectStore, key: str) -> None:
    """Leaves no object at `key`. Raises ConfigurationError with what to do, StoreUnavailable."""
    try:
        await _ping(store, key)
        try:
            await _check_heads(store, key)
            await _check_conditions(store, key)
            await _check_reading(store, key)
            await _check_parts(store, key)
        except BaseException:
            with suppress(GatewayError):
                await store.delete(key)
            raise
        await store.delete(key)
    except StoreUnavailable as error:
        raise with_remedy(error) from error


def with_remedy(error: StoreUnavailable) -> GatewayError:
    """The error, with what to do if its cause, or the store's name for it, shows that."""
    cause = cause_of(error.__cause__)
    if cause is Cause.NO_CREDENTIALS:
        return ConfigurationError(
            "there are no credentials: set GATEWAY_S3_ACCESS_KEY_ID and"
            " GATEWAY_S3_SECRET_ACCESS_KEY, or give this machine a role"
        )
    if cause is Cause.NO_S3:
        return ConfigurationError(f"the answer is not an S3 answer: {_NO_STORE}")
    if line := why_unreachable(error, _SERVER):
        return ConfigurationError(line)
    said = str(error)
    for code, remedy in _REMEDIES.items():
        if code in said:
            return ConfigurationError(f"{error}: {remedy}")
    remedy = _STATUSES.get(said.rpartition(" ")[2], "look into the store's log")
    return ConfigurationError(f"{error}: {remedy}")


async def _ping(store: ObjectStore, key: str) -> None:
    try:
        await store.ping()
    except ObjectNotFound:
        await _find_bucket(store, key)
    except StoreUnavailable:
        return  # the answer to a HEAD has no body with a reason; that of the next call has


async def _find_bucket(store: ObjectStore, key: str) -> None:
    """Send a GET: its answer shows whether the bucket or all of S3 is missing."""
    try:
        async for _ in store.list(key):
            return
    except ObjectNotFound as error:
        raise ConfigurationError(f"{error}: {_NO_STORE}") from error
    except StoreUnavailable as error:
        if "NoSuchBucket" in str(error):
            remedy = _REMEDIES["NoSuchBucket"]
            raise ConfigurationError(f"there is no bucket: {remedy}") from error
        raise


async def _check_heads(store: ObjectStore, key: str) -> None:
    await store.put(key, _BYTES, crc32c=google_crc32c.value(_BYTES))
    try:
        await store.head(key)
    except StoreUnavailable as error:
        if why_unreachable(error, _SERVER):
            raise
        raise ConfigurationError(
            f"{error} to a HEAD that asks for checksums (x-amz-checksum-mode): use a newer version"
            " of the store, or another one"
        ) from error


async def _check_conditions(store: ObjectStore, key: str) -> None:
    """Try conditional writes, which acceptances and leases need."""
    if not await heeds_conditions(store, key):
        raise ConfigurationError(
            f"{NOT_HEEDED}: use a store that honours them, or have the proxy in front of it forward"
            " them"
        )


async def _check_reading(store: ObjectStore, key: str) -> None:
    await store.put(key, _BYTES)
    if await store.read_range(key, 1, 3) != _BYTES[1:4]:
        raise ConfigurationError("the store does not support Range requests: use another store")
    url = await store.presigned_get(
        key,
        expires=_LINK_SECONDS,
        content_type="text/plain",
        content_disposition="attachment",
    )
    try:
        async with aiohttp.ClientSession(timeout=_SECONDS) as session, session.get(url) as answer:
            content = await answer.read()
    except (aiohttp.ClientError, OSError) as error:
        raise ConfigurationError(
            f"the host {urlsplit(url).hostname}, to which clients are redirected for their files,"
            " cannot be reached: add it to DNS, or set GATEWAY_SERVE_FILES=stream"
        ) from error
    if content != _BYTES:
        raise ConfigurationError(
            f"a presigned URL is answered with {answer.status}: have the proxy in front of the"
            " store forward host and query unchanged, or set GATEWAY_SERVE_FILES=stream"
        )


async def _check_parts(store: ObjectStore, key: str) -> None:
    """Write a file in two parts, as every large file is written, and compare its checksum."""
    multipart = await store.create_multipart(key)
    whole = b"".join(_PARTS)
    crc32c = google_crc32c.value(whole)
    try:
        sent = [
            await store.upload_part(multipart, number, BytesIO(part), google_crc32c.value(part))
            for number, part in enumerate(_PARTS, 1)
        ]
        await store.complete_multipart(multipart, sent, size=len(whole), crc32c=crc32c)
    except BaseException as error:
        with suppress(GatewayError):
            await store.abort_multipart(key, multipart.upload_id)
        if isinstance(error, ChecksumMismatch):
            raise _wrong_checksum() from error
        raise
    if await verify(store, key, len(whole), crc32c) is Verification.DIFFERENT:
        raise _wrong_checksum()


def _wrong_checksum() -> ConfigurationError:
    return ConfigurationError(
        "the store returns a wrong checksum for a file in two parts, so hosted files above 8 MiB"
        " would be refused as corrupt: use another version of it, or another store"
    )
