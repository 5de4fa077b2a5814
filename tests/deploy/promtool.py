"""Prometheus' own tool: the machine's, or that of Debian's package, unpacked under the checkout."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.deploy.tools import CACHE, checked
from tests.programs import lack

_SECONDS: Final = 120


class Promtool:
    """The tool; without it and without a way to get it the test is skipped."""

    def __init__(self) -> None:
        self._path = shutil.which("promtool") or _of_debian()
        if self._path is None:
            lack("there is no promtool: Debian's package prometheus has it")

    def check_rules(self, file: Path) -> str:
        """What it says about the rules; an AssertionError if it finds a fault."""
        return checked([str(self._path), "check", "rules", str(file)])

    def check_config(self, file: Path) -> str:
        """What it says about a configuration and its rules; an AssertionError for a fault."""
        return checked([str(self._path), "check", "config", str(file)])

    def test_rules(self, file: Path) -> str:
        """What it says about their tests; an AssertionError if one fails."""
        return checked([str(self._path), "test", "rules", str(file)])

    def check_metrics(self, text: str) -> str:
        """What it says about scraped metrics; an AssertionError if it finds a fault."""
        return checked([str(self._path), "check", "metrics"], text=text)


def _of_debian() -> str | None:
    """Fetched by apt, which checks the signature, and unpacked; nothing is installed."""
    found = CACHE / "promtool"
    if not found.exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            return None
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            directory = Path(name)
            try:
                _run(directory, "apt-get", "download", "prometheus")
                (package,) = directory.glob("prometheus_*.deb")
                _run(directory, "dpkg-deb", "-x", package.name, ".")
            except (subprocess.SubprocessError, ValueError):
                return None
            # In one step, since another process may do the same at this moment.
            (directory / "usr" / "bin" / "promtool").replace(found)
    return str(found)


def _run(directory: Path, *command: str) -> None:
    subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=_SECONDS)
