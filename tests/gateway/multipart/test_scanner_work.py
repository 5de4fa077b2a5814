"""Work and copies, counted and not timed: what the scanner does to the bytes that it is given."""

from collections.abc import Iterator
from typing import SupportsIndex, overload

import pytest

from fuzz.feeding import BOUNDARY, form, part
from gateway.multipart import Declared, Limits, PartData, Scanner, delimiter

DELIMITER = b"\r\n--" + BOUNDARY
OPENING = part(b"")[:-2]
CHUNK = 65536


class Watched(bytes):
    """A chunk that counts which of its bytes are searched, and which are copied."""

    searched = 0
    copied = 0

    def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override] # as it is called
        found = super().find(sub, start, end)
        stop = len(self) if end is None else min(end, len(self))
        self.searched += (stop if found < 0 else found + len(sub)) - start
        return found

    def rfind(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override] # as it is called
        found = super().rfind(sub, start, end)
        stop = len(self) if end is None else min(end, len(self))
        self.searched += stop - max(found, start if start >= 0 else max(0, len(self) + start))
        return found

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> bytes: ...

    def __getitem__(self, index: SupportsIndex | slice) -> int | bytes:
        taken = super().__getitem__(index)
        if isinstance(taken, bytes):
            self.copied += len(taken)
        return taken

    def __add__(self, other: bytes) -> bytes:  # type: ignore[override] # as it is called
        self.copied += len(self)
        return super().__add__(other)


@pytest.fixture(autouse=True)
def watched_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's search as a method of the bytes that it searches, so that these count it."""
    monkeypatch.setattr(delimiter, "find", lambda data, needle, start: data.find(needle, start))


HOSTILE = {
    "zeros": b"\x00",
    "CR": b"\r",
    "LF": b"\n",
    "CR LF": b"\r\n",
    "CR LF hyphens": b"\r\n--",
    "hyphens": b"-",
    "nearly delimiters": DELIMITER[:-1],
    "CR and letters": b"\r" + b"A" * 40,
    "the boundary within a line": b"x" + DELIMITER[2:],
    "delimiter lines that go on": DELIMITER + b"x",
    "delimiters after a bare LF": b"\n" + DELIMITER[2:] + b"\r\n",
    "all of it": b"x" + DELIMITER[2:] + DELIMITER + b"x\r\n\r" + DELIMITER[2:],
}


def watched(content: bytes, size: int) -> Iterator[Watched]:
    for begin in range(0, len(content), size):
        yield Watched(content[begin : begin + size])


def work(opening: bytes, content: bytes, size: int) -> tuple[int, int]:
    """Bytes searched and bytes copied to scan the content in chunks of this size."""
    scanner = Scanner(Declared((BOUNDARY,)), Limits(max_parts=10**6))
    scanner.receive_data(opening)
    searched = copied = 0
    for chunk in watched(content, size):
        scanner.receive_data(chunk)
        searched += chunk.searched
        copied += chunk.copied
    return searched, copied


@pytest.mark.parametrize("kind", HOSTILE)
def test_each_byte_of_a_file_is_searched_a_bounded_number_of_times(kind: str) -> None:
    content = (HOSTILE[kind] * CHUNK)[: 16 * CHUNK]
    searched, copied = work(OPENING, content, CHUNK)
    # Once as a rule; twice more where two needles are looked for after the first has told.
    assert len(content) <= searched + CHUNK
    assert searched <= 3.1 * len(content)
    # No file bytes but those at the seam of two chunks.
    assert copied <= 16 * 6 * len(DELIMITER)


def test_the_bytes_of_a_usual_file_are_searched_once() -> None:
    content = bytes(range(255, 0, -1)) * 4096
    searched, copied = work(OPENING, content, CHUNK)
    assert searched <= 1.01 * len(content)
    assert copied <= len(content) / 1000


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("size", [1, 7, 1460])
def test_small_chunks_cost_the_same_for_each_of_them(kind: str, size: int) -> None:
    content = (HOSTILE[kind] * CHUNK)[: 200 * size]
    once = sum(work(OPENING, content, size))
    twice = sum(work(OPENING, content * 2, size))
    assert twice <= 2.2 * once + 4 * len(DELIMITER)


@pytest.mark.parametrize("first", [b"", b"x" + DELIMITER[2:], DELIMITER + b"x"])
@pytest.mark.parametrize("size", [1, 100, CHUNK])
def test_many_parts_cost_as_much_each_as_a_few(first: bytes, size: int) -> None:
    opening = part(first)
    bodies = [form(*[part(b"0123456789")] * count) for count in (50, 2000)]
    few, many = (sum(work(opening, body, size)) / len(body) for body in bodies)
    assert many <= 1.1 * few


@pytest.mark.parametrize("size", [1, 100])
def test_a_long_header_block_is_copied_once_however_it_is_cut(size: int) -> None:
    opening = b"--" + BOUNDARY + b"\r\n"
    short, long = (b"X: " + b"a" * length for length in (4_000, 8_000))
    assert sum(work(opening, long, size)) <= 2.2 * sum(work(opening, short, size))


def test_nothing_grows_with_what_went_before() -> None:
    scanner = Scanner(Declared((BOUNDARY,)))
    scanner.receive_data(OPENING)
    longest = 0
    for kind in HOSTILE.values():
        for _ in range(50):
            for event in scanner.receive_data(kind * 3):
                if isinstance(event, PartData):
                    longest = max(longest, len(event.chunk) - len(kind * 3))
    assert longest <= 2 * len(DELIMITER)
