"""Which servers are started, whatever else this machine has."""

from pathlib import Path

import pytest

from gateway.stack import seaweedfs, valkey
from gateway.stack.part import PartError
from gateway.stack.seaweedfs import SeaweedFS
from gateway.stack.valkey import Valkey


@pytest.fixture
def machines_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the PATH leads first: to servers of the machine's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("redis-server", "valkey-server", "weed"):
        (folder / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    for variable in (valkey.PROGRAM, seaweedfs.PROGRAM):
        monkeypatch.delenv(variable, raising=False)
    return folder


def started(data_dir: Path) -> list[Path]:
    commands = (Valkey(data_dir, 1).command(), SeaweedFS(data_dir, 1, "id", "secret").command())
    return [Path(command.argv[0]) for command in commands]


def test_the_embedded_programs_are_used_whatever_is_on_the_path(
    machines_own: Path, tmp_path: Path
) -> None:
    assert machines_own not in {program.parent for program in started(tmp_path)}
    assert all(program.exists() for program in started(tmp_path))


def test_other_servers_are_used_if_they_are_named(
    machines_own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(valkey.PROGRAM, "redis-server")
    monkeypatch.setenv(seaweedfs.PROGRAM, str(machines_own / "weed"))
    assert started(tmp_path) == [machines_own / "redis-server", machines_own / "weed"]


def test_the_machines_programs_are_used_if_nothing_is_embedded(
    machines_own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "_embedded", lambda: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert started(tmp_path) == [machines_own / "valkey-server", machines_own / "weed"]


@pytest.mark.usefixtures("machines_own")
def test_one_that_is_named_and_not_there_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(valkey.PROGRAM, "no-such-server")
    with pytest.raises(PartError, match="UP_REDIS_SERVER names no program: no-such-server"):
        started(tmp_path)
