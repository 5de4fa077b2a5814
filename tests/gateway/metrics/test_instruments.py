import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import catalogue
from gateway.metrics.exposition import expose, registry_of
from gateway.metrics.instruments import Counter, Distribution, Gauge, Series

BOUNDS = (0.1, 1.0, 10.0)


@given(st.lists(st.floats(0, 100)))
def test_every_observation_falls_into_the_first_bucket_that_holds_it(amounts: list[float]) -> None:
    spread = Distribution(BOUNDS)
    for amount in amounts:
        spread.observe(amount)
    for at, bound in enumerate(BOUNDS):
        assert sum(spread.counts[: at + 1]) == sum(amount <= bound for amount in amounts)
    assert sum(spread.counts) == len(amounts)
    assert spread.sum == pytest.approx(sum(amounts))


def test_labels_that_are_all_known_are_there_before_anything_happens() -> None:
    counter = Counter("x_total", "X.", ("a", "b"), (("1", "2"), ("3",)))
    assert list(counter.series()) == [
        Series("x_total", ("1", "3"), [0]),
        Series("x_total", ("2", "3"), [0]),
    ]


def test_gauge_of_unknown_value_is_not_exported() -> None:
    gauge = Gauge("x", "X.")
    gauge.set(to=2)
    assert list(gauge.series()) == [Series("x", (), [2])]
    gauge.set(to=None)
    assert list(gauge.series()) == []


def test_labels_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        catalogue.REQUESTS.add("route")


def test_a_histogram_is_exported_with_cumulative_buckets() -> None:
    name = catalogue.LOOP_LAG.name
    counts = [1.0] * (len(catalogue.LOOP_LAG.bounds) + 1)
    text, content_type = expose(registry_of(lambda: [Series(name, (), [*counts, 7.5])]), "")
    assert content_type.startswith("text/plain")
    families = {each.name: each for each in text_string_to_metric_families(text.decode())}
    samples = {
        (sample.name, sample.labels.get("le")): sample.value for sample in families[name].samples
    }
    assert samples[f"{name}_bucket", "+Inf"] == len(counts)
    assert samples[f"{name}_bucket", "0.001"] == 1
    assert samples[f"{name}_sum", None] == 7.5


def test_a_scraper_gets_the_format_that_it_asks_for() -> None:
    text, content_type = expose(registry_of(list), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
