"""Reads documents from Redis or the bucket, which may be invalid or of another version."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def read(decoder: "msgspec.json.Decoder[T] | msgspec.msgpack.Decoder[T]", document: bytes) -> T:
    """The decoded document. Raises msgspec.DecodeError for any invalid one.

    msgspec itself raises other errors for text that is not UTF-8, and for too deep nesting.
    """
    try:
        return decoder.decode(document)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
