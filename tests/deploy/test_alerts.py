"""The alert rules and the dashboard: their tools accept them, and they ask for what there is."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.metrics import catalogue
from gateway.metrics.instruments import MetricType
from tests.deploy.promtool import Promtool
from tests.deploy.tools import DEPLOY, ROOT
from tests.servers.gateway import Gateway
from tests.servers.metrics import scrape

ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
ALERT_TESTS = DEPLOY / "prometheus" / "alerts_test.yaml"
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
RUNBOOK = ROOT / "docs" / "runbook.md"

_RULE = re.compile(r"- alert: (\w+)\n +expr: (.*?)\n +(?:for|labels):.*?runbook: (\S+)", re.DOTALL)
_SELECTED = re.compile(r"\b(chatkitty_gateway_\w+)(?:\{([^}]*)\})?")
_BY = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture(scope="module")
def promtool() -> Promtool:
    return Promtool()


def rules() -> dict[str, tuple[str, str]]:
    """Expression and place in the runbook of each alert."""
    return {
        name: (expression, place) for name, expression, place in _RULE.findall(ALERTS.read_text())
    }


def panels() -> list[Any]:
    document = json.loads(DASHBOARD.read_text())
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def samples() -> dict[str, set[str]]:
    """The labels of every series that a scrape can have."""
    found: dict[str, set[str]] = {}
    for metric in catalogue.ALL:
        if metric.kind is MetricType.HISTOGRAM:
            for suffix in ("_bucket", "_sum", "_count"):
                found[metric.name + suffix] = {
                    *metric.labels,
                    *(["le"] if suffix == "_bucket" else []),
                }
        else:
            found[metric.name] = set(metric.labels)
    return found


def test_promtool_accepts_the_rules(promtool: Promtool) -> None:
    assert f"{ALERTS.read_text().count('- alert:')} rules found" in promtool.check_rules(ALERTS)


@pytest.mark.parametrize("directory", ["prometheus", "compose"])
def test_promtool_accepts_the_scrape_configuration(
    promtool: Promtool, directory: str, tmp_path: Path
) -> None:
    shutil.copy(ALERTS, tmp_path)
    config = Path(shutil.copy(DEPLOY / directory / "prometheus.yaml", tmp_path))
    assert "SUCCESS" in promtool.check_config(config)
    jobs = re.findall(r"job_name: (\S+)", config.read_text())
    assert jobs == ["chatkitty-gateway", "chatkitty-gateway-workers"]


def test_each_alert_fires_when_it_should_and_only_then(promtool: Promtool) -> None:
    promtool.test_rules(ALERT_TESTS)


def test_each_alert_is_seen_to_fire_and_to_be_silent() -> None:
    firing: set[str] = set()
    silent: set[str] = set()
    for case in ALERT_TESTS.read_text().split("- interval:")[1:]:
        name = re.findall(r"alertname: (\w+)", case)
        (silent if "exp_alerts: []" in case else firing).update(name)
    assert firing == silent == set(rules())


def test_each_alert_has_its_entry_in_the_runbook_and_no_other_is_there() -> None:
    assert len(rules()) == ALERTS.read_text().count("- alert:")
    entries = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert entries == list(rules())
    for name, (_, place) in rules().items():
        assert place == f"docs/runbook.md#{name.lower()}"


@pytest.mark.parametrize(
    "expression", [*queries(), *(expression for expression, _ in rules().values())]
)
def test_every_metric_in_an_alert_exists_with_its_labels(expression: str) -> None:
    selected = _SELECTED.findall(expression)
    assert selected or expression.startswith("up{")
    theirs = {"job", "instance"}
    for name, matchers in selected:
        theirs |= samples()[name]
        assert set(re.findall(r"(\w+)=", matchers)) <= {*samples()[name], "job", "instance"}
    for labels in _BY.findall(expression):
        assert set(re.split(r", *", labels)) <= theirs


def test_every_metric_is_on_the_dashboard() -> None:
    asked = {
        re.sub("_(bucket|sum|count)$", "", name)
        for name, _ in _SELECTED.findall(" ".join(queries()))
    }
    assert {metric.name for metric in catalogue.ALL} == asked


def test_promtool_accepts_the_queries_of_the_dashboard(promtool: Promtool, tmp_path: Path) -> None:
    asked = [query.replace("$__rate_interval", "1m") for query in queries()]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "dashboard.yaml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool.check_rules(file)


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    everything = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in everything)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


async def test_promtool_accepts_scraped_metrics(promtool: Promtool, relay_gateway: Gateway) -> None:
    promtool.check_metrics((await scrape(relay_gateway.admin_url)).text)
