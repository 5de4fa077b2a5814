import json
import logging
import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry import level_of, redact

TOKENS = st.text("abcXYZ019-._~+/", min_size=1).map(lambda text: f"SECRET{text}")


@pytest.mark.parametrize(
    "around",
    [
        "Authorization: Bearer {}",
        "b'authorization: bEARER   {}'",
        '{{"Authorization": "Bearer {}"}}',
        "Basic {}, realm",
        "Grant: {}",
        "amqp://user:{}@host:5672/vhost",
        "redis://:{}@host/0",
        "https://{}@host/a",
        "https://user:{}@host/a",
        "https://s3/bucket/key?X-Amz-Signature={}&X-Amz-Date=1",
        "GET /v1/files?access_token={} HTTP/1.1",
    ],
)
@given(token=TOKENS)
def test_what_libraries_log_is_freed_of_secrets(around: str, token: str) -> None:
    if "://" in around and "@" in around:
        token = token.replace("/", "")  # a URL would have it encoded
    assert "SECRET" not in redact(around.format(token))


@pytest.mark.parametrize(
    "text", ["", "connected to redis://host:6379/0", "GET https://h/a?b=c@d", "3 tasks, 2 retries"]
)
def test_all_other_text_in_a_log_line_stays(text: str) -> None:
    assert redact(text) == text


def test_what_libraries_log_is_an_event_too() -> None:
    script = (
        "import logging; from gateway.telemetry import configure_logs; configure_logs('info');"
        "logging.getLogger('library').warning('lost %s', 'redis://u:pass-word@h/0')"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    event = json.loads(output.stderr)
    assert event["event"] == "lost redis://u:…@h/0"
    assert event["level"] == logging.getLevelName(logging.WARNING).lower()
    assert event["logger"] == "library"


def logged_at(level: str, levels: Mapping[str, str], script: str) -> list[dict[str, str]]:
    """The events of a script that has loggers of its own."""
    script = (
        "import logging; from gateway.telemetry import configure_logs, get_logger, log_request\n"
        f"early = get_logger('gateway.delivery.relay')\nconfigure_logs({level!r}, {levels!r})\n"
        f"{script}"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert not output.stdout
    return [json.loads(line) for line in output.stderr.splitlines()]


def test_a_module_is_logged_at_the_level_of_its_own() -> None:
    events = logged_at(
        "info",
        {"gateway.delivery": "debug", "workers": "error", "workers.steps.audit": "info"},
        "early.debug('1')\nget_logger('gateway.server.run').debug('2')\n"
        "get_logger('gateway.server.run').info('3')\nget_logger('workers.steps').warning('4')\n"
        "get_logger('workers.steps.audit').info('5')\nget_logger('workers_too').info('6')\n",
    )
    assert [event["event"] for event in events] == ["1", "3", "5", "6"]


def test_a_library_is_logged_at_the_level_of_its_own() -> None:
    events = logged_at(
        "error",
        {"celery": "info", "kombu": "error"},
        "for name in ('celery.worker', 'kombu', 'asyncio'):\n"
        "    for level in (20, 30, 40): logging.getLogger(name).log(level, '')",
    )
    assert [(event["logger"], event["level"]) for event in events] == [
        *(("celery.worker", level) for level in ("info", "warning", "error")),
        ("kombu", "error"),
        *(("asyncio", level) for level in ("warning", "error")),
    ]


@pytest.mark.parametrize(
    ("level", "levels", "is_logged"),
    [
        ("info", {}, True),
        ("warning", {}, False),
        ("info", {"gateway.server.requests": "warning"}, False),
        ("warning", {"gateway.server": "info"}, True),
    ],
)
def test_requests_have_a_level_of_their_own(
    level: str, levels: dict[str, str], *, is_logged: bool
) -> None:
    request = "log_request(method='GET', path='/', status=200, seconds=0.1)"
    assert bool(logged_at(level, levels, request)) is is_logged


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join)


@given(module=NAMES, levels=st.dictionaries(NAMES, st.sampled_from(["debug", "error"])))
def test_the_longest_name_that_fits_is_the_one_that_counts(
    module: str, levels: dict[str, str]
) -> None:
    fit = [name for name in levels if f"{module}.".startswith(f"{name}.")]
    expected = levels[max(fit, key=len)] if fit else "info"
    assert level_of(module, levels, "info") == expected
