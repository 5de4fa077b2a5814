"""The counts in the formats that Prometheus reads."""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from gateway.metrics.catalogue import ALL
from gateway.metrics.instruments import Metric, MetricType, Series


class _Counted(Collector):
    """The metrics of the catalogue, with the values at the time of each collection."""

    def __init__(self, read: Callable[[], Iterable[Series]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Family]:
        values: dict[str, list[Series]] = {}
        for series in self._read():
            values.setdefault(series.name, []).append(series)
        for metric in ALL:
            yield _family(metric, values.get(metric.name, []))


def registry_of(read: Callable[[], Iterable[Series]]) -> CollectorRegistry:
    """A registry of all metrics, with the values that `read` returns at the time."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counted(read))
    return registry


def expose(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The metrics in the format that the `Accept` header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _family(metric: Metric[Any], found: list[Series]) -> Family:
    if metric.kind is MetricType.HISTOGRAM:
        return _histogram(metric, found)
    make = CounterMetricFamily if metric.kind is MetricType.COUNTER else GaugeMetricFamily
    family = make(metric.name, metric.text, labels=metric.labels)
    for series in found:
        if len(series.values) == 1 and len(series.labels) == len(metric.labels):
            family.add_metric(series.labels, series.values[0])
    return family


def _histogram(metric: Metric[Any], found: list[Series]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
    bounds: Final = [*map(floatToGoString, metric.bounds), "+Inf"]
    for series in found:
        *counts, total = series.values
        if len(counts) == len(bounds) and len(series.labels) == len(metric.labels):
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric(series.labels, buckets, sum_value=total)
    return family
