"""The counters of a host's processes, added up: each process writes its own, and can read all.

Every process has a number in the directory, which it locks as long as it lives. Its successor takes
the number over with its counts. So no counter decreases when a process dies, and the directory has
no more files than processes ever ran at the same time.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

import msgspec

from gateway.metrics.catalogue import ALL
from gateway.metrics.instruments import Labels, MetricType, Series

_GAUGES = frozenset(metric.name for metric in ALL if metric.kind.is_gauge)
_MOST = frozenset(metric.name for metric in ALL if metric.kind is MetricType.MOST)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Series])


def counted() -> list[Series]:
    """The counts of this process."""
    return [series for metric in ALL for series in metric.series()]


def reset() -> None:
    """Reset all counts, in a forked process."""
    for metric in ALL:
        metric.reset()


def lasting(series: Iterable[Series]) -> list[Series]:
    """The counts that stay valid when the process has died: all but gauges."""
    return [each for each in series if each.name not in _GAUGES]


def added(parts: Iterable[Iterable[Series]]) -> list[Series]:
    """All parts as one: counts are added, and so are gauges that are sums over processes.

    A series with another number of values than the first of its kind is left out: it is of another
    version.
    """
    sums: dict[tuple[str, Labels], list[float]] = {}
    for part in parts:
        for series in part:
            key = series.name, series.labels
            before = sums.get(key)
            if before is None:
                sums[key] = list(series.values)
            elif len(before) == len(series.values):
                merge = max if series.name in _MOST else float.__add__
                pairs = zip(before, series.values, strict=True)
                sums[key] = [merge(float(a), float(b)) for a, b in pairs]
    return [Series(name, labels, values) for (name, labels), values in sums.items()]


class Shared:
    """This process among those of its host; without a directory, it is alone."""

    def __init__(self, directory: Path | None) -> None:
        """Raises OSError if the directory cannot be used."""
        self._directory = directory
        self._writing = threading.Lock()
        self._before: list[Series] = []
        self._lock = -1
        self._number = -1
        if directory is not None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._number, self._lock = _free_number(directory)
            self._before = lasting(_read(self._file(self._number)))

    def write(self) -> None:
        """Write this process's counts, for the others to read."""
        if self._directory is None:
            return
        file = self._file(self._number)
        new = file.with_suffix(".new")
        # A full disk must not end a process that serves.
        with self._writing, suppress(OSError):
            new.write_bytes(_encoder.encode(self._own()))
            new.replace(file)

    def read(self) -> list[Series]:
        """The counts of all processes; those of others are as old as their last `write`.

        This process writes its own first: the next process that is asked must not report less.
        """
        self.write()
        parts = [self._own(), *self._others()]
        return added(parts)

    def close(self) -> None:
        """Write the counts, and leave the number to a successor."""
        self.write()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        """Share counts until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sharing."""
        self.close()

    def _own(self) -> list[Series]:
        return added([counted(), self._before])

    def _others(self) -> Iterator[list[Series]]:
        if self._directory is None:
            return
        for lock in self._directory.glob("*.lock"):
            number = int(lock.stem)
            if number != self._number:
                series = _read(self._file(number))
                yield series if is_held(lock) else lasting(series)

    def _file(self, number: int) -> Path:
        return (self._directory or Path()) / f"{number}.counted"


def _free_number(directory: Path) -> tuple[int, int]:
    """The first free number, and the lock on it."""
    for number in count():
        lock = os.open(directory / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return number, lock
    raise AssertionError  # there is always another number


def is_held(lock: Path) -> bool:
    """Whether a living process holds this lock. Raises OSError."""
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(file: Path) -> list[Series]:
    try:
        return _decoder.decode(file.read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError):
        return []
