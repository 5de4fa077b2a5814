import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metrics import catalogue
from gateway.metrics.instruments import Series
from gateway.metrics.shared import Shared, added, lasting

pytestmark = pytest.mark.slow

LOST = catalogue.LOST_MESSAGES.name

# A process of its own, that counts so many lost messages, and lives until its input ends.
SCRIPT = """
import sys, pathlib
from gateway.metrics import catalogue
from gateway.metrics.shared import Shared
shared = Shared(pathlib.Path(sys.argv[1]))
catalogue.LOST_MESSAGES.add(amount=int(sys.argv[2]))
catalogue.PROCESSES.set(to=1)
catalogue.OLDEST_PENDING.set(to=int(sys.argv[2]))
shared.write()
print("written", flush=True)
sys.stdin.read()
"""


class Process:
    def __init__(self, directory: Path, lost: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(directory), str(lost)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"written\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def _value(shared: Shared, name: str) -> float | None:
    return next((series.values[0] for series in shared.read() if series.name == name), None)


@pytest.fixture
def own() -> float:
    """What this very process has counted before."""
    return catalogue.LOST_MESSAGES.of().value or 0


def test_any_process_reports_the_counts_of_all(tmp_path: Path, own: float) -> None:
    processes = [Process(tmp_path, 3), Process(tmp_path, 4)]
    with Shared(tmp_path) as shared:
        assert _value(shared, LOST) == own + 7
        assert _value(shared, catalogue.OLDEST_PENDING.name) == 4
    for process in processes:
        process.kill()


def test_what_a_dead_process_has_counted_stays_and_what_it_held_does_not(
    tmp_path: Path, own: float
) -> None:
    dead = Process(tmp_path, 3)
    with Shared(tmp_path) as shared:
        before = _value(shared, catalogue.PROCESSES.name) or 0
        dead.kill()
        assert _value(shared, LOST) == own + 3
        assert (_value(shared, catalogue.PROCESSES.name) or 0) == before - 1


def test_a_successor_takes_over_a_dead_processs_counts_and_file(tmp_path: Path) -> None:
    with Shared(tmp_path / "other"):
        for _ in range(3):
            Process(tmp_path, 5).kill()
        last = Process(tmp_path, 5)
        assert sorted(path.name for path in tmp_path.glob("*.*")) == ["0.counted", "0.lock"]
        last.kill()
        with Shared(tmp_path) as shared:
            assert (_value(shared, LOST) or 0) >= 20


def test_broken_file_does_not_affect_the_others(tmp_path: Path, own: float) -> None:
    Process(tmp_path, 3).kill()
    (tmp_path / "1.lock").touch()
    (tmp_path / "1.counted").write_bytes(b"\xc1 no MessagePack")
    with Shared(tmp_path) as shared:
        assert _value(shared, LOST) == own + 3


NAMES = st.sampled_from([metric.name for metric in catalogue.ALL])
PARTS = st.lists(
    st.lists(
        st.builds(
            Series,
            NAMES,
            st.tuples(st.sampled_from("ab")),
            st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=1),
        ),
        unique_by=lambda series: (series.name, series.labels),
    ),
    max_size=5,
)


@given(PARTS)
def test_the_order_of_processes_changes_nothing(parts: list[list[Series]]) -> None:
    def told(series: list[Series]) -> list[tuple[str, tuple[str, ...], list[float]]]:
        return sorted((each.name, each.labels, each.values) for each in series)

    assert told(added(parts)) == told(added(reversed(parts)))
    assert told(added([added(parts[:2]), *parts[2:]])) == told(added(parts))


@given(PARTS)
def test_no_count_falls_when_a_process_dies(parts: list[list[Series]]) -> None:
    before = {(each.name, each.labels): each.values for each in lasting(added(parts))}
    after = added([*parts[1:], *map(lasting, parts[:1])])
    assert {(each.name, each.labels): each.values for each in lasting(after)} == before


def test_a_series_of_another_shape_is_left_out() -> None:
    old = [Series("chatkitty_gateway_request_seconds", ("relay",), [1.0, 2.0])]
    new = [Series("chatkitty_gateway_request_seconds", ("relay",), [1.0, 2.0, 3.0])]
    assert added([new, old]) == new
