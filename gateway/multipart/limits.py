"""The limits of a body."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """What the scanner accepts before it raises LimitExceeded; the caller limits part data."""

    max_parts: int = 100
    max_header_bytes: int = 8192
    """Bytes of one part's header block."""
    max_header_count: int = 16
    """Lines in one part's header block."""
    max_preamble_bytes: int = 1024
    max_epilogue_bytes: int = 1024
    """Including the line break after the closing delimiter."""
    max_name_length: int = 256
    """Characters in a part's name; a filename is limited by the header block."""


DEFAULT_LIMITS: Final = Limits()
