"""Documents from Redis or a bucket: perhaps of another version, or not written by us at all."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def read(decoder: "msgspec.json.Decoder[T] | msgspec.msgpack.Decoder[T]", document: bytes) -> T:
    """What the document is. Raises msgspec.DecodeError for whatever it cannot be.

    msgspec alone raises other errors for text that is no UTF-8, and for what is nested too deeply.
    """
    try:
        return decoder.decode(document)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
