"""Programs that tests need and no wheel brings.

Without one a test is skipped, and says so; in CI, which installs them all, it fails.
"""

import os
from shutil import which
from typing import Final, NoReturn

import pytest

IN_CI: Final = bool(os.environ.get("CI"))


def need(*programs: str, packages: str) -> None:
    """End the test where a program is not on the PATH; `packages` of Debian bring them."""
    if missing := [program for program in programs if which(program) is None]:
        lack(f"no {', '.join(missing)} here: apt-get install {packages}")


def lack(what: str) -> NoReturn:
    """End the test for lack of something."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


def needs(*, there: bool, what: str) -> pytest.MarkDecorator:
    """Mark a test that needs something; in CI it is run, and shows what is missing."""
    return pytest.mark.skipif(not there and not IN_CI, reason=what)
