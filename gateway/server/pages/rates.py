"""An hour of rates, from this process's own samples of its metrics."""

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Final

from gateway.metrics import catalogue
from gateway.metrics.instruments import Series

SECONDS: Final = 5.0
_POINTS: Final = 120
_WIDTH: Final = 30.0
_KEPT: Final = int(_POINTS * _WIDTH / SECONDS) + 2
_COUNTED: Final = {
    "accepted": (catalogue.UPLOADS.name, 2, "taken"),
    "refused": (catalogue.UPLOADS.name, 2, "refused"),
    "failed": (catalogue.UPLOADS.name, 2, "failed"),
    "aborted": (catalogue.UPLOADS.name, 2, "aborted"),
}

Buckets = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """The counts at a time of the loop's clock, in seconds; `phases` have their buckets."""

    at: float
    counts: Mapping[str, float]
    pending: float | None = None
    phases: Mapping[str, Buckets] = field(default_factory=dict)


def sample_of(series: Iterable[Series], at: float) -> Sample:
    """What the page draws, of all metrics."""
    counts = dict.fromkeys((*_COUNTED, "bytes"), 0.0)
    pending: float | None = None
    phases: dict[str, Buckets] = {}
    for each in series:
        if each.name == catalogue.RECEIVED.name:
            counts["bytes"] += each.values[0]
        elif each.name == catalogue.PENDING.name:
            pending = each.values[0]
        elif each.name == catalogue.PHASE_SECONDS.name:
            phases[" ".join(each.labels)] = tuple(each.values[:-1])
        else:
            for kind, (name, place, label) in _COUNTED.items():
                if each.name == name and each.labels[place] == label:
                    counts[kind] += each.values[0]
    return Sample(at, counts, pending, phases)


def quantile(counts: Sequence[float], bounds: Sequence[float], share: float) -> float | None:
    """The upper bound of the bucket that has the observation at that share; None without any."""
    total = sum(counts)
    if total <= 0:
        return None
    place = next(i for i, reached in enumerate(accumulate(counts)) if reached >= share * total)
    return bounds[min(place, len(bounds) - 1)]


def lines_of(samples: Sequence[Sample], now: float) -> dict[str, object]:
    """The lines of the last hour: a point for each 30 s, None where nothing is known."""
    times = [sample.at for sample in samples]
    edges = [_at(samples, times, now - _WIDTH * back) for back in range(_POINTS, -1, -1)]
    pairs = list(pairwise(edges))
    phases = sorted({name for sample in samples[-1:] for name in sample.phases})
    return {
        "seconds": _WIDTH,
        "rates": {
            kind: [_rate(before, after, kind) for before, after in pairs]
            for kind in (*_COUNTED, "bytes")
        },
        "pending": [after.pending if after is not None else None for _, after in pairs],
        "phases": {
            name: {
                "p50": [_quantile(before, after, name, 0.5) for before, after in pairs],
                "p99": [_quantile(before, after, name, 0.99) for before, after in pairs],
            }
            for name in phases
        },
    }


def _at(samples: Sequence[Sample], times: Sequence[float], at: float) -> Sample | None:
    """The last sample before a time, if it is recent enough to stand for it."""
    place = bisect_right(times, at) - 1
    return samples[place] if place >= 0 and at - times[place] < _WIDTH else None


def _rate(before: Sample | None, after: Sample | None, kind: str) -> float | None:
    """The increase in each second."""
    if before is None or after is None or after.at <= before.at:
        return None
    return max(0.0, after.counts[kind] - before.counts[kind]) / (after.at - before.at)


def _quantile(
    before: Sample | None, after: Sample | None, phase: str, share: float
) -> float | None:
    if before is None or after is None:
        return None
    counts = after.phases.get(phase, ())
    earlier = before.phases.get(phase, (0.0,) * len(counts))
    new = [max(0.0, b - a) for a, b in zip(earlier, counts, strict=True)]
    return quantile(new, catalogue.PHASE_SECONDS.bounds, share)


class History:
    """The samples of the last hour."""

    def __init__(self, read: Callable[[], Sequence[Series]]) -> None:
        """`read` returns all metrics."""
        self._read = read
        self._samples: deque[Sample] = deque(maxlen=_KEPT)

    async def keep(self) -> None:
        """Take samples until cancelled."""
        while True:
            self._samples.append(sample_of(self._read(), time.monotonic()))
            await asyncio.sleep(SECONDS)

    def lines(self) -> dict[str, object]:
        """The lines of the last hour."""
        return lines_of(list(self._samples), time.monotonic())
