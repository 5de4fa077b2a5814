"""`docs/metrics.md` has the metrics of the code."""

from pathlib import Path

from gateway.metrics import catalogue

DOCS = Path(__file__).parents[1] / "docs" / "metrics.md"


def documented() -> dict[str, tuple[str, str, str]]:
    """Kind, labels and meaning of each metric, as the page has them."""
    rows = [line.split("|") for line in DOCS.read_text().splitlines() if line.startswith("| `chat")]
    return {
        cells[1].strip().strip("`"): (
            cells[2].strip(),
            cells[3].replace("`", "").strip(),
            cells[4].strip(),
        )
        for cells in rows
    }


def test_every_metric_is_documented_and_nothing_else() -> None:
    there = {
        metric.name: (
            "gauge" if metric.kind.is_gauge else str(metric.kind),
            ", ".join(metric.labels),
            metric.text,
        )
        for metric in catalogue.ALL
    }
    assert documented() == there
