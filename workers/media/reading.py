"""What readers of media share: how they ask for bytes, and what they answer.

A reader is a generator. It yields the Span it needs and gets its bytes: fewer at the end of the
file, and none where they are not available (a relay keeps only a part of a file, and a sniff reads
up to a limit). A reader then answers from what it has seen. No bytes make it raise.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

MOST_REQUESTS: Final = 4
REQUEST_BYTES: Final = 16 * 1024
"""Bytes that a sniff may read for a reader in addition to a file's head and tail."""

MOST_STEPS: Final = 2000
"""Spans that a reader gets; after that it gets none. Real files need some ten for each track."""


class Span(NamedTuple):
    """`length` bytes of the file, from the offset `start`."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Medium:
    """What a file is; `certain` is False if only its container is known, but not its tracks."""

    content_type: str
    certain: bool = True


Reading: TypeAlias = Generator[Span, bytes, Medium | None]
