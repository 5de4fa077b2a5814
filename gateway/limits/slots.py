"""How many bodies one process receives at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.errors import TooManyUploads

_RETRY_AFTER: Final = 2.0


class Slots:
    """Counts the open ones, up to a limit."""

    __slots__ = ("taken", "total")

    def __init__(self, total: int) -> None:
        """Allow `total` at a time."""
        self.total = total
        self.taken = 0
        """Callers whose upload outlives one `with` block adjust this directly."""

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold one slot inside the block. Raises TooManyUploads if all are taken."""
        if self.taken >= self.total:
            raise TooManyUploads("too many uploads are being received right now", _RETRY_AFTER)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
