"""The store's own errors, translated into ours. Pure."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from gateway.errors import (
    ChecksumMismatch,
    GatewayError,
    ObjectNotFound,
    PartChanged,
    PreconditionFailed,
    StoreIncapable,
    StoreUnavailable,
    WriteDisturbed,
)

BUCKET_EXISTS: Final = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
INVALID_RANGE: Final = frozenset({"InvalidRange", "416"})

_BREAKAGES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What botocore's parsers raise for what they do not expect."""

_TRANSLATION: Final[Mapping[str, type[GatewayError]]] = {
    "NoSuchKey": ObjectNotFound,
    "NoSuchUpload": ObjectNotFound,
    "404": ObjectNotFound,  # a HEAD has no body that could name it
    "InvalidPart": PartChanged,
    "PreconditionFailed": PreconditionFailed,
    "412": PreconditionFailed,
    "ConditionalRequestConflict": WriteDisturbed,
    "NotImplemented": StoreIncapable,
    "501": StoreIncapable,  # without a body, as above
    "BadDigest": ChecksumMismatch,
    "InvalidDigest": ChecksumMismatch,
    "XAmzContentChecksumMismatch": ChecksumMismatch,
    "XAmzContentSHA256Mismatch": ChecksumMismatch,
}


class Cause(Enum):
    """Why a store could not be asked, other than the network."""

    NO_CREDENTIALS = "no credentials"
    NO_S3 = "the answer is not one of S3"


def cause_of(error: BaseException | None) -> Cause | None:
    """The cause that an error of botocore's stands for."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Cause.NO_CREDENTIALS
    return Cause.NO_S3 if isinstance(error, ResponseParserError) else None


def code_of(error: ClientError) -> str:
    """S3's name of the error, or the status as text where the answer had no body.

    Empty where the answer has something else in the place of a name.
    """
    code: object = error.response.get("Error", {}).get("Code")
    return code if isinstance(code, str) else ""


def translated(error: ClientError) -> GatewayError:
    """Our error for the store's; what means nothing to our callers is StoreUnavailable.

    Source: Amazon S3 API Reference, error responses.
    """
    code = code_of(error)
    if (known := _TRANSLATION.get(code)) is not None:
        return known(f"the store answered {code}")
    return StoreUnavailable(f"the store answered {code}")


@contextmanager
def readable() -> Iterator[None]:
    """Raise ResponseParserError for an answer that breaks botocore's parsers, or lacks a part."""
    try:
        yield
    except (ClientError, BotoCoreError):
        raise
    except _BREAKAGES as error:
        raise ResponseParserError("the answer is not one of S3") from error
