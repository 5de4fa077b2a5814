"""Counters, gauges and histograms as plain objects: counting must cost next to nothing.

Only one thread writes each of them, usually that of the event loop.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import product
from math import isnan, nan
from typing import Final, Generic, TypeVar

import msgspec

Labels = tuple[str, ...]


class MetricType(StrEnum):
    """The type of a metric in Prometheus, and how the values of several processes become one."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    SUM = "gauge"
    """A gauge that is the sum over all living processes."""

    MOST = "gauge of all"
    """A gauge of something that all processes see, some of them later than others."""

    @property
    def is_gauge(self) -> bool:
        """Whether its values count only as long as the process lives."""
        return self in (MetricType.SUM, MetricType.MOST)


class Series(msgspec.Struct, frozen=True, array_like=True):
    """The values of one metric under one set of label values.

    One value for counters and gauges. For a histogram, the count of each bucket (not cumulated, the
    last one unbounded), followed by the sum.
    """

    name: str
    labels: Labels
    values: list[float]


class Value:
    """A number that is increased or set; a gauge is NaN until it is set."""

    __slots__ = ("_start", "value")

    def __init__(self, start: float) -> None:
        self._start = self.value = start

    def values(self) -> list[float]:
        """The values of its series."""
        return [] if isnan(self.value) else [self.value]

    def reset(self) -> None:
        """Reset the count."""
        self.value = self._start


class Distribution:
    """The number of observations in each bucket, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, amount: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, amount)] += 1
        self.sum += amount

    def values(self) -> list[float]:
        """The values of its series."""
        return [*self.counts, self.sum]

    def reset(self) -> None:
        """Reset the count."""
        self.counts = [0] * len(self.counts)
        self.sum = 0.0


Child = TypeVar("Child", Value, Distribution)


class Metric(Generic[Child]):
    """A metric: its children by the values of their labels."""

    def __init__(
        self,
        kind: MetricType,
        name: str,
        text: str,
        labels: Labels = (),
        known: Sequence[Sequence[str]] = (),
    ) -> None:
        """`known`: for each label all of its values, if they are known from the start."""
        self.kind: Final = kind
        self.name: Final = name
        self.text: Final = text
        self.labels: Final = labels
        self._children: dict[Labels, Child] = {}
        if not labels or known:
            for values in product(*known):
                self.of(*values)

    def of(self, *values: str) -> Child:
        """The child for these label values; frequent callers should keep it."""
        child = self._children.get(values)
        if child is None:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {self.labels}, not {values}")
            child = self._children[values] = self._made()
        return child

    def reset(self) -> None:
        """Reset all counts, in a forked process."""
        for child in self._children.values():
            child.reset()

    def series(self) -> Iterator[Series]:
        """All series that have a value."""
        for labels, child in list(self._children.items()):
            if values := child.values():
                yield Series(self.name, labels, values)

    @property
    def bounds(self) -> Sequence[float]:
        """The upper bounds of a histogram's buckets except the last; empty for other metrics."""
        return ()

    def _made(self) -> Child:
        raise NotImplementedError


class Counter(Metric[Value]):
    """A number that only increases."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), known: Sequence[Sequence[str]] = ()
    ) -> None:
        super().__init__(MetricType.COUNTER, name, text, labels, known)

    def add(self, *labels: str, amount: float = 1) -> None:
        """Add `amount` under these label values."""
        self.of(*labels).value += amount

    def _made(self) -> Value:
        return Value(0.0)


class Gauge(Metric[Value]):
    """The present amount of something."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        kind: MetricType = MetricType.SUM,
        *,
        start: float = nan,
        known: Sequence[Sequence[str]] = (),
    ) -> None:
        """With `start`, it is counted up and down from there; otherwise unknown until it is set."""
        self._start = start
        super().__init__(kind, name, text, labels, known)

    def set(self, *labels: str, to: float | None) -> None:
        """Set the amount; None if it is not known."""
        # The encoder cannot encode a subclass of int, such as a setting's size.
        self.of(*labels).value = nan if to is None else float(to)

    def _made(self) -> Value:
        return Value(self._start)


class Histogram(Metric[Distribution]):
    """The distribution of observations."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels,
        bounds: Sequence[float],
    ) -> None:
        self._bounds = bounds
        super().__init__(MetricType.HISTOGRAM, name, text, labels)

    @property
    def bounds(self) -> Sequence[float]:
        """The upper bounds of the buckets but the last."""
        return self._bounds

    def _made(self) -> Distribution:
        return Distribution(self._bounds)
