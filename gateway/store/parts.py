"""The plan of a multipart upload: how large each part is. Pure."""

from typing import Final

from gateway.errors import PartLimitExceeded

FIRST_PART: Final = 8 * 1024**2
"""Bytes of the first part; a file that fits in it is one PUT."""

PARTS_IN_FLIGHT: Final = 2
"""Parts on their way to the store while the next one fills."""

MAX_PARTS: Final = 10_000
"""Parts of one upload. Source: S3 User Guide, multipart upload limits."""

_PARTS_OF_A_SIZE = 2_000
_SIZES = tuple(FIRST_PART * growth for growth in (1, 4, 16, 64, 256))


def part_size(number: int) -> int:
    """The size of S3 part `number` (1 to 10,000); it grows so that all parts together reach 5 TiB.

    The first 2,000 parts have 8 MiB each (15.6 GiB); every 2,000 parts the size quadruples. So few
    files ever need more memory than the first 2,000 parts do.

    Raises PartLimitExceeded. Source: S3 User Guide, multipart upload limits.
    """
    if not 1 <= number <= MAX_PARTS:
        raise PartLimitExceeded(f"a multipart upload has parts 1 to {MAX_PARTS:,}")
    return _SIZES[(number - 1) // _PARTS_OF_A_SIZE]
