"""CRC32C as S3 writes it. Pure."""

from base64 import b64decode, b64encode

_BYTES = 4


def to_header(crc32c: int) -> str:
    """The value of `x-amz-checksum-crc32c`: base64 of the four bytes, big-endian."""
    return b64encode(crc32c.to_bytes(_BYTES, "big")).decode("ascii")


def from_header(value: str | None) -> int | None:
    """The CRC32C of a whole object; None for no value, and for a checksum of checksums.

    A checksum of checksums ends in the number of parts (`…==-3`). Source: S3 User Guide, checking
    object integrity.
    """
    if value is None:
        return None
    try:
        digest = b64decode(value, validate=True)
    except ValueError:
        return None
    return int.from_bytes(digest, "big") if len(digest) == _BYTES else None
