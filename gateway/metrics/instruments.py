"""Counters, gauges and histograms as plain objects: to count must cost next to nothing.

Each is written by one thread alone, as a rule that of the event loop.
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
    """What a metric is, by Prometheus' word for it, and how processes' values become one."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    SUM = "gauge"
    """A gauge of which every living process has a share."""

    MOST = "gauge of all"
    """A gauge that all processes see, one perhaps later than the other."""

    @property
    def is_gauge(self) -> bool:
        """Whether it holds only as long as the process lives."""
        return self in (MetricType.SUM, MetricType.MOST)


class Series(msgspec.Struct, frozen=True, array_like=True):
    """The values of one metric under one set of label values.

    One value for counters and gauges; of a histogram the count of each bucket, not cumulated,
    the last of which has no bound, and behind them the sum.
    """

    name: str
    labels: Labels
    values: list[float]


class Value:
    """A number that is counted up, or set; a gauge is NaN until it is set."""

    __slots__ = ("_start", "value")

    def __init__(self, start: float) -> None:
        self._start = self.value = start

    def values(self) -> list[float]:
        """As a series has it."""
        return [] if isnan(self.value) else [self.value]

    def reset(self) -> None:
        """Count from the beginning."""
        self.value = self._start


class Distribution:
    """How many observations fell into which bucket, and their sum."""

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
        """As a series has it."""
        return [*self.counts, self.sum]

    def reset(self) -> None:
        """Count from the beginning."""
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
        """`known`: for each label the values that are there from the start, if all are known."""
        self.kind: Final = kind
        self.name: Final = name
        self.text: Final = text
        self.labels: Final = labels
        self._children: dict[Labels, Child] = {}
        if not labels or known:
            for values in product(*known):
                self.of(*values)

    def of(self, *values: str) -> Child:
        """The child of these values; who counts often keeps it."""
        child = self._children.get(values)
        if child is None:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {self.labels}, not {values}")
            child = self._children[values] = self._made()
        return child

    def reset(self) -> None:
        """Forget what was counted: a forked process begins anew."""
        for child in self._children.values():
            child.reset()

    def series(self) -> Iterator[Series]:
        """Everything of which something is known."""
        for labels, child in list(self._children.items()):
            if values := child.values():
                yield Series(self.name, labels, values)

    @property
    def bounds(self) -> Sequence[float]:
        """The upper bounds of a histogram's buckets but the last; of others none."""
        return ()

    def _made(self) -> Child:
        raise NotImplementedError


class Counter(Metric[Value]):
    """Only ever counted up."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), known: Sequence[Sequence[str]] = ()
    ) -> None:
        super().__init__(MetricType.COUNTER, name, text, labels, known)

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count `amount` more under these label values."""
        self.of(*labels).value += amount

    def _made(self) -> Value:
        return Value(0.0)


class Gauge(Metric[Value]):
    """How much there is of something now."""

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
        """Not known before it is set, unless it has a start, and is then counted up and down."""
        self._start = start
        super().__init__(kind, name, text, labels, known)

    def set(self, *labels: str, to: float | None) -> None:
        """Say how much there is; None if that is not known."""
        # Of a subclass of int, such as a setting's size, the encoder would make nothing.
        self.of(*labels).value = nan if to is None else float(to)

    def _made(self) -> Value:
        return Value(self._start)


class Histogram(Metric[Distribution]):
    """How observations are spread."""

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
