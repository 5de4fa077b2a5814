"""How many requests of one process may wait for changes, and how many of one subject."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.errors import TooManyListeners, TooManyListenersOfSubject
from gateway.metrics.catalogue import LISTENERS

STREAM: Final = "stream"
POLL: Final = "poll"
_RETRY_AFTER: Final = 5.0


class Listeners:
    """Counts the open event streams and long polls."""

    def __init__(self, total: int, per_subject: int) -> None:
        """Allow `total` at a time, `per_subject` of them of one subject (0: any number)."""
        self._total = total
        self._each = per_subject
        self._of: Counter[str] = Counter()
        self._open = 0

    @contextmanager
    def hold(self, subject: str, kind: str) -> Iterator[None]:
        """Hold one place inside the block.

        Raises TooManyListenersOfSubject, TooManyListeners.
        """
        if self._each and self._of[subject] >= self._each:
            detail = f"{self._each} event streams and long polls are open already"
            raise TooManyListenersOfSubject(detail, _RETRY_AFTER)
        if self._open >= self._total:
            detail = "too many event streams and long polls are open right now"
            raise TooManyListeners(detail, _RETRY_AFTER)
        self._open += 1
        self._of[subject] += 1
        gauge = LISTENERS.of(kind)
        gauge.value += 1
        try:
            yield
        finally:
            gauge.value -= 1
            self._open -= 1
            self._of[subject] -= 1
            if not self._of[subject]:
                del self._of[subject]
