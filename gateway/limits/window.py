"""What was used within the last seconds, counted in slices of the window. Pure.

A slice counts as long as any part of it lies within the window. So no window, wherever it begins,
has more use than is allowed, and used quota is free again at most one slice late. Its memory does
not grow with the use. Times are whole milliseconds of any clock.
"""

from typing import Final

import msgspec

SLICES: Final = 50
"""Slices of a window: 20 ms for each second of it."""


class Use(msgspec.Struct, frozen=True):
    """How much is used, and the milliseconds until some of it is free (`back`) and until more fits.

    `back` is 0 if nothing is used; `wait` is 0 if the demand fits now.
    """

    used: int = 0
    back: int = 0
    wait: int = 0


class Window:
    """One sliding window; what is added counts for its length, or for up to one slice longer."""

    def __init__(self, seconds: int) -> None:
        """Make an empty window of the given length in seconds."""
        self._length = slice_length(seconds)
        self._slices: dict[int, int] = {}

    def __len__(self) -> int:
        """The slices that are remembered."""
        return len(self._slices)

    def ask(self, need: int, limit: int, now: int) -> Use:
        """What is used, and when `need` more would fit under `limit`; nothing is added."""
        current = now // self._length
        self._slices = {s: n for s, n in self._slices.items() if abs(current - s) <= SLICES}
        used = left = sum(self._slices.values())
        back = wait = 0
        for number, amount in sorted(self._slices.items()):
            leaves = (number + SLICES + 1) * self._length - now
            if back == 0 and amount > 0:
                back = leaves
            if need > 0 and left + need > limit:
                wait = leaves
                left -= amount
        return Use(used, back, wait)

    def add(self, amount: int, now: int) -> int:
        """Count `amount` as used; returns the slice, by which it can be corrected."""
        number = now // self._length
        self._slices[number] = self._slices.get(number, 0) + amount
        return number

    def give_back(self, amount: int, number: int) -> None:
        """Subtract `amount` from a slice, if that still counts."""
        if number in self._slices:
            self._slices[number] = max(0, self._slices[number] - amount)


def slice_length(seconds: int) -> int:
    """The milliseconds of one slice of a window."""
    return seconds * 1000 // SLICES
