"""The lines of the last hour, from samples."""

import pytest

from gateway.metrics import catalogue
from gateway.metrics.instruments import Series
from gateway.server.pages.rates import Sample, lines_of, quantile, sample_of

COUNTS = {"accepted": 0.0, "refused": 0.0, "failed": 0.0, "aborted": 0.0, "bytes": 0.0}


def test_a_sample_adds_what_it_needs_over_routes() -> None:
    series = [
        Series(catalogue.UPLOADS.name, ("a", "relay", "taken"), [2.0]),
        Series(catalogue.UPLOADS.name, ("b", "external", "taken"), [3.0]),
        Series(catalogue.UPLOADS.name, ("b", "external", "failed"), [1.0]),
        Series(catalogue.RECEIVED.name, ("a", "relay"), [10.0]),
        Series(catalogue.RECEIVED.name, ("b", "external"), [20.0]),
        Series(catalogue.PENDING.name, (), [7.0]),
        Series(catalogue.PHASE_SECONDS.name, ("relay", "body"), [1.0, 2.0, 0.5]),
        Series(catalogue.REQUESTS.name, ("a", "relay", "2xx"), [9.0]),
    ]
    sample = sample_of(series, 5.0)
    assert sample.counts == {**COUNTS, "accepted": 5.0, "failed": 1.0, "bytes": 30.0}
    assert sample.pending == 7.0
    assert sample.phases == {"relay body": (1.0, 2.0)}


def test_points_are_rates_between_samples_and_unknown_without_them() -> None:
    samples = [Sample(at, {**COUNTS, "accepted": at}, pending=3.0) for at in range(1000, 1065, 5)]
    lines = lines_of(samples, 1060.0)
    rates = lines["rates"]
    assert isinstance(rates, dict)
    assert rates["accepted"][-2:] == [1.0, 1.0]
    assert rates["accepted"][:-2] == [None] * 118
    assert isinstance(lines["pending"], list)
    assert lines["pending"][-1] == 3.0


def test_a_count_that_begins_again_is_no_negative_rate() -> None:
    samples = [Sample(1000.0, {**COUNTS, "bytes": 50.0}), Sample(1030.0, COUNTS)]
    rates = lines_of(samples, 1030.0)["rates"]
    assert isinstance(rates, dict)
    assert rates["bytes"][-1] == 0.0


def test_phases_have_quantiles_of_what_is_new() -> None:
    none = (0.0,) * 18
    slow = (5.0, *(0.0,) * 11, 1.0, *(0.0,) * 5)
    samples = [
        Sample(1000.0, COUNTS, phases={"a b": none}),
        Sample(1030.0, COUNTS, phases={"a b": slow}),
    ]
    phases = lines_of(samples, 1030.0)["phases"]
    assert isinstance(phases, dict)
    bounds = catalogue.PHASE_SECONDS.bounds
    assert phases["a b"]["p50"][-1] == bounds[0]
    assert phases["a b"]["p99"][-1] == bounds[12]


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [([0, 0, 0], 0.5, None), ([1, 0, 0], 0.5, 1.0), ([1, 1, 0], 0.99, 2.0), ([0, 0, 5], 0.5, 2.0)],
)
def test_a_quantile_is_the_bound_of_its_bucket(
    counts: list[float], share: float, expected: float | None
) -> None:
    assert quantile(counts, (1.0, 2.0), share) == expected


def test_without_samples_nothing_is_known() -> None:
    lines = lines_of([], 5.0)
    assert lines["pending"] == [None] * 120
    assert lines["phases"] == {}
