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
"""What botocore's parsers raise for answers that they do not expect."""

_TRANSLATION: Final[Mapping[str, type[GatewayError]]] = {
    "NoSuchKey": ObjectNotFound,
    "NoSuchUpload": ObjectNotFound,
    "404": ObjectNotFound,  # the answer to a HEAD has no body that could name the error
    "InvalidPart": PartChanged,
    "PreconditionFailed": PreconditionFailed,
    "412": PreconditionFailed,
    "ConditionalRequestConflict": WriteDisturbed,
    "NotImplemented": StoreIncapable,
    "501": StoreIncapable,  # the same without a body
    "BadDigest": ChecksumMismatch,
    "InvalidDigest": ChecksumMismatch,
    "XAmzContentChecksumMismatch": ChecksumMismatch,
    "XAmzContentSHA256Mismatch": ChecksumMismatch,
}


class Cause(Enum):
    """The reason why the store refused, as far as an operator can do something about it."""

    NO_CREDENTIALS = "no credentials"
    NO_S3 = "the answer is not an S3 answer"


def cause_of(error: BaseException | None) -> Cause | None:
    """The reason that botocore's error stands for, if it is a known one."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Cause.NO_CREDENTIALS
    return Cause.NO_S3 if isinstance(error, ResponseParserError) else None


def code_of(error: ClientError) -> str:
    """S3's name of the error, or the status as text if the answer had no body.

    Empty if the answer has something else instead of a name.
    """
    code: object = error.response.get("Error", {}).get("Code")
    return code if isinstance(code, str) else ""


def translated(error: ClientError) -> GatewayError:
    """Our error for the store's: StoreUnavailable for everything that callers do not distinguish.

    Source: Amazon S3 API Reference, error responses.
    """
    code = code_of(error)
    if (known := _TRANSLATION.get(code)) is not None:
        return known(f"the store answered {code}")
    return StoreUnavailable(f"the store answered {code}")


@contextmanager
def readable() -> Iterator[None]:
    """Raise ResponseParserError if an answer breaks botocore's parsers, or lacks a part."""
    try:
        yield
    except (ClientError, BotoCoreError):
        raise
    except _BREAKAGES as error:
        raise ResponseParserError("the answer is not an S3 answer") from error
