"""The store's own errors, translated into ours. Pure."""

from collections.abc import Mapping
from typing import Final

from botocore.exceptions import ClientError

from gateway.errors import (
    ChecksumMismatch,
    GatewayError,
    ObjectNotFound,
    PreconditionFailed,
    StoreUnavailable,
    WriteDisturbed,
)

BUCKET_EXISTS: Final = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
INVALID_RANGE: Final = frozenset({"InvalidRange", "416"})

_TRANSLATION: Final[Mapping[str, type[GatewayError]]] = {
    "NoSuchKey": ObjectNotFound,
    "NoSuchUpload": ObjectNotFound,
    "404": ObjectNotFound,  # a HEAD has no body that could name it
    "PreconditionFailed": PreconditionFailed,
    "412": PreconditionFailed,
    "ConditionalRequestConflict": WriteDisturbed,
    "BadDigest": ChecksumMismatch,
    "InvalidDigest": ChecksumMismatch,
    "XAmzContentChecksumMismatch": ChecksumMismatch,
    "XAmzContentSHA256Mismatch": ChecksumMismatch,
}


def code_of(error: ClientError) -> str:
    """S3's name of the error, or the status as text where the answer had no body."""
    return error.response.get("Error", {}).get("Code", "")


def translated(error: ClientError) -> GatewayError:
    """Our error for the store's; what means nothing to our callers is StoreUnavailable.

    Source: Amazon S3 API Reference, error responses.
    """
    code = code_of(error)
    if (known := _TRANSLATION.get(code)) is not None:
        return known(f"the store answered {code}")
    return StoreUnavailable(f"the store answered {code}")
