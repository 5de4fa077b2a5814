"""The sandbox, on an installation for production alone."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_the_extra_that_is_missing_is_named() -> None:
    without = (
        "import sys; sys.modules['python_multipart'] = None;"
        " from gateway.cli import main; main(['sandbox', '--port', '0'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", without], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: the sandbox needs the extra `embedded`")
    assert len(ended.stderr.splitlines()) == 1
