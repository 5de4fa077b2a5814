"""The README and its neighbours name what there is."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, cast

import click
import pytest
from celery.bin.celery import celery  # noqa: TID251 - its own list of commands and options

from gateway.cli import main
from gateway.crash import Point
from gateway.metrics import catalogue
from gateway.queue import QUEUES
from gateway.settings import PREFIX, Settings
from gateway.webhooks.messages import EVENTS
from tests.test_problems_page import titles

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_front_page_is_short() -> None:
    assert len(README.splitlines()) <= 120


PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
_OURS = "gateway|workers|tests|docs|deploy|locks|chaos|bench|fuzz"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_of_a_table_has_a_cell_for_each_column(page: Path) -> None:
    """Markdown shows all other rows as plain text, or without their last cells."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text())
    for table in re.findall(r"(?m)(?:^\|.*\n)+", text):
        rows = re.sub(r"`[^`\n]*`|\\\|", "", table).splitlines()
        assert [row for row in rows if row.count("|") != rows[0].count("|")] == []
        assert re.fullmatch(r"\|(?: :?---+:? \|)+", rows[1]), rows[0]


MADE_BY_OPERATORS = {"deploy/compose/secrets"}
SETTINGS = {*Settings.model_fields, "config", "x"}
"""And X, which stands for any of them."""

LOGS: Final = (ROOT / "docs" / "logs.md").read_text()
"""Has the events of the code, and no other (tests/test_logs.py)."""

FIGURE: Final = re.compile(
    r".*\d (?:ms|us)\b.*|.*\d s(?:/| a )GiB.*|.*\d % of a core.*|.*\d times as.*|.*GiB a second.*"
)
"""Of time or CPU, as they are measured."""
COMMAND: Final = re.compile(r"make [a-z-]+|python\s-m\s(?:bench|chaos)|tests/[\w/]+\.py")

UPLOADS: Final = cast("click.Group", main.commands["uploads"])
WEBHOOKS: Final = cast("click.Group", main.commands["webhooks"])
OF_OTHERS: Final = {
    "--b",  # a boundary
    "--pdb",  # pytest's
    *("--cacert", "--form-escape", "--resolve"),  # curl's
    "--post-file",  # Wget's
    *("--read_only", "--enable_events", "FLOWER_BASIC_AUTH"),  # Flower's
    *("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"),  # OpenTelemetry's
    *("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME"),
    *("JWT_SECRET", "RESOURCE_LOCKED"),  # Supabase's, RabbitMQ's
}
NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for file in re.findall(rf"`((?:{_OURS})/[\w./-]+)`", text):
        assert (ROOT / file).exists() or file in MADE_BY_OPERATORS, file
    for name in re.findall(rf"`{PREFIX}([A-Z0-9_]+[A-Z0-9])[`=:]", text):
        assert {name.lower(), name.removesuffix("_FILE").lower()} & SETTINGS, name


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_a_page_names_no_command_or_option_that_is_not(page: Path) -> None:
    for words in _commands(page.read_text()):
        _check(words)


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_an_option_alone_is_that_of_some_command(page: Path) -> None:
    ours = {option for group in (main, UPLOADS, WEBHOOKS, celery) for option in _all_options(group)}
    for option in re.findall(r"`(--[a-z][\w-]*\w)[^`]*`", page.read_text()):
        assert option in ours | OF_OTHERS, option


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_a_page_names_no_event_or_metric_or_problem_that_is_not(page: Path) -> None:
    text = page.read_text()
    events = set(re.findall(r"(?m)^\| `([a-z]+\.[a-z_]+)` \|", LOGS))
    known = {*events, *QUEUES, *Point, *EVENTS, "webhook.test"}
    families = {name.partition(".")[0] for name in events}
    for name in re.findall(r"`([a-z]+\.[a-z_-]+)`", text):
        assert name in known or name.partition(".")[0] not in families, name
    metrics = {metric.name for metric in catalogue.ALL}
    for name in re.findall(r"`(chatkitty_gateway_\w+)`", text):
        assert name in metrics, name
    for status, slug in re.findall(r"\b([45]\d\d)\b`? `?([a-z]+(?:-[a-z]+)*)`", text):
        assert (int(status), slug) in titles(), (status, slug)


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_a_page_names_no_variable_that_nothing_reads(page: Path) -> None:
    for span in re.findall(r"`([^`\n]+)`", page.read_text()):
        for name in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", span):
            assert name.startswith(PREFIX) or name in _sources() or name in OF_OTHERS, name


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_measured_figures_have_the_command_that_gives_them(page: Path) -> None:
    for section in re.split(r"(?m)^(?=#)", page.read_text()):
        if figure := FIGURE.search(section):
            assert COMMAND.search(section), figure[0]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


_LIMIT = re.compile(r"(max|subject|body|head|idle|answer)_.*|upload_memory|.*_(grace|timeout|wait)")


@pytest.mark.parametrize("name", [*filter(_LIMIT.fullmatch, Settings.model_fields)])
def test_every_limit_is_explained(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in (ROOT / "docs" / "limits.md").read_text()


@pytest.mark.parametrize("name", main.commands)
def test_every_command_is_documented(name: str) -> None:
    assert f"| `{name}` |" in README


def test_every_threat_has_a_test() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    rows = re.findall(r"^\|(?! ---| what is at stake).*\|$", text, re.MULTILINE)
    assert rows
    for row in rows:
        tests = re.findall(r"`(tests/[\w/.]+)`", row.split("|")[-2])
        assert tests, row
        assert all((ROOT / test).is_file() for test in tests), row


def _commands(text: str) -> Iterator[Sequence[str]]:
    """What stands between backticks, and behind the prompt of a console, as words."""
    for line in [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"(?m)^\$ (.*)$", text)]:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a span of something else
            continue
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        if words:
            yield words


def _check(words: Sequence[str]) -> None:
    """Assert that what begins like a command of ours is one, and has these options."""
    match words:
        case ["make", *targets]:
            assert {word for word in targets if "=" not in word} <= _targets(), words
        case ["python", "-m", module, *rest]:
            given = {word.partition("=")[0] for word in rest if word.startswith("--")}
            assert given <= {"--help", *_options_of(module)}, words
        case ["pytest", *rest]:
            assert all((ROOT / word).exists() for word in rest if "/" in word), words
        case ["celery", *rest] if rest[:1] != ["flower"]:  # whose options are Tornado's
            _check_click(celery, rest)
        case ["chatkitty-gateway", *rest]:
            _check_click(main, rest)
        case [name, option, *_] if name in UPLOADS.commands and option.startswith("--"):
            _check_click(UPLOADS, words)
        case [name, *_] if name in main.commands:
            _check_click(main, words)


def _check_click(group: click.Group, words: Sequence[str]) -> None:
    """Assert that the command is one of the group, or of a group in it, with these options."""
    command: click.Command = group
    options = _named_options(group)
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options, words
        elif isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
            options |= _named_options(command)
        else:
            assert not isinstance(command, click.Group) or word in {"…", "workers"}, words


def _named_options(command: click.Command) -> set[str]:
    found = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return {"--help", "-h", *found}


def _all_options(group: click.Group) -> set[str]:
    return {
        name for command in (group, *group.commands.values()) for name in _named_options(command)
    }


def _options_of(module: str) -> set[str]:
    """The options that a module's parser of arguments has, and those of a `command` it imports."""
    source = _source_of(module)
    shared = re.findall(r"(?m)^from ([\w.]+\.command) import", source)
    return set(re.findall(r'"(--[a-z-]+)"', "".join((source, *map(_source_of, shared)))))


def _source_of(module: str) -> str:
    place = ROOT / Path(*module.split("."))
    return (place / "__main__.py" if place.is_dir() else place.with_suffix(".py")).read_text()


def _targets() -> set[str]:
    lines = re.findall(r"(?m)^([\w -]+):", (ROOT / "Makefile").read_text())
    return set(" ".join(lines).split())


@cache
def _sources() -> str:
    """Everything that may read a variable: code, tests, and what deploys."""
    places = ("gateway", "workers", "tests", "bench", "chaos")
    code = (file for place in places for file in (ROOT / place).rglob("*.py"))
    deployed = (file for file in (ROOT / "deploy").rglob("*") if "secrets" not in file.parts)
    return "".join(file.read_text() for file in (*code, *deployed) if file.is_file())
