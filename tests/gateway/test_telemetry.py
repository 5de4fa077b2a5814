import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry import redact

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
        "https://s3/bucket/key?X-Amz-Signature={}&X-Amz-Date=1",
        "GET /v1/files?access_token={} HTTP/1.1",
    ],
)
@given(token=TOKENS)
def test_what_libraries_log_is_freed_of_secrets(around: str, token: str) -> None:
    if "://" in around and "@" in around:
        token = token.replace("/", "")  # a URL would have it encoded
    assert "SECRET" not in redact(around.format(token))


@pytest.mark.parametrize("text", ["", "connected to redis://host:6379/0", "3 tasks, 2 retries"])
def test_the_rest_of_it_stays(text: str) -> None:
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
