"""Adds what servers logged during a failed test to the test's report."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

_MOST_LINES = 80
_LOOKED_AT = 4096
_DIRECTORY = pytest.StashKey[Path]()
_STARTED = pytest.StashKey[float]()
_MARK = ".started"


@pytest.fixture(scope="session", autouse=True)
def directory_of_logs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Remember the directory of this process's servers."""
    request.config.stash[_DIRECTORY] = tmp_path_factory.getbasetemp()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # By the clock of the file system, which may be some milliseconds behind the system's.
    directory = item.config.stash.get(_DIRECTORY, None)
    if directory is not None:
        mark = directory / _MARK
        mark.touch()
        item.stash[_STARTED] = mark.stat().st_mtime


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    directory = item.config.stash.get(_DIRECTORY, None)
    if report.failed and directory is not None:
        for log in sorted(written_since(item.stash.get(_STARTED, 0.0), directory)):
            report.sections.append((f"end of {log.relative_to(directory)}", tail(log)))
    return report


def written_since(started: float, directory: Path) -> Iterator[Path]:
    """The logs below the directory that were written to since then."""
    for log in directory.rglob("*.log"):
        try:
            if log.stat().st_size and log.stat().st_mtime >= started and is_text(log):
                yield log
        except OSError:
            continue  # a directory, or a server has just removed it


def is_text(log: Path) -> bool:
    """Whether it is a server's log; databases have logs of another kind."""
    with log.open("rb") as opened:
        return b"\0" not in opened.read(_LOOKED_AT)


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_MOST_LINES:])
