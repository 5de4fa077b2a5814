"""Progress and colours: on a terminal, and nowhere else. And output that cannot be written."""

import errno
import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.terminal import Console, guarded_output

PROGRAM = """
import click
from gateway.terminal import Console, use_colours

@click.command()
@click.pass_context
def main(context):
    use_colours(context)
    console = Console()
    console.count("read", 1000)
    console.err("error: \\u00e4")
    console.count("read", 234)
    console.out("a result")
    console.status("")

main()
"""
RED = "\x1b[31m"
CLEAR = "\x1b[K"


def on_terminal(**changed: str) -> tuple[str, str]:
    """What it prints to a file, and to a terminal of 80 columns."""
    leader, follower = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=follower,
        env=environ | {"TERM": "xterm", "COLUMNS": "80", "PYTHONUTF8": "1"} | changed,
        check=True,
    )
    os.close(follower)
    written = b""
    try:
        while data := os.read(leader, 65536):
            written += data
    except OSError:  # Linux says so at the end
        pass
    os.close(leader)
    return done.stdout.decode(), written.decode()


def test_progress_makes_room_for_lines() -> None:
    results, seen = on_terminal()
    assert results == "a result\n"
    assert seen.replace("\x1b[1m", "") == (
        f"\r{CLEAR}1,000 read"
        f"\r{CLEAR}{RED}error\x1b[0m: ä\r\n\r{CLEAR}1,000 read"
        f"\r{CLEAR}1,234 read"
        f"\r{CLEAR}\r{CLEAR}1,234 read"
        f"\r{CLEAR}"
    )


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colours_can_be_refused(variable: dict[str, str]) -> None:
    _, seen = on_terminal(**variable)
    assert RED not in seen
    assert "error: ä" in seen
    assert ("1,234 read" in seen) == ("NO_COLOR" in variable)


def test_a_file_gets_neither(tmp_path: Path) -> None:
    written = tmp_path / "stderr"
    with written.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            stderr=file,
            env=os.environ | {"PYTHONUTF8": "1"},
            check=True,
        )
    assert written.read_text() == "error: ä\n"
    assert done.stdout == b"a result\n"


def test_a_line_that_does_not_fit_is_cut() -> None:
    _, seen = on_terminal(COLUMNS="8")
    assert f"{CLEAR}1,000 r\r" in seen


COMMAND = str(Path(sys.executable).with_name("chatkitty-gateway"))
OPERATE = ["config", "check"]
KEY = "A" * 43 + "="


def run(*arguments: str, stdout: int | None, stderr: int = subprocess.PIPE) -> tuple[int, str]:
    """The exit status and standard error of the program; `stdout` is closed if it is None."""
    done = subprocess.run(
        [COMMAND, *arguments]
        if stdout is not None
        else ["sh", "-c", '"$@" >&-', "sh", COMMAND, *arguments],
        stdout=stdout,
        stderr=stderr,
        env=os.environ | {"GATEWAY_SECRET_KEY": KEY, "PYTHONUTF8": "1"},
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def full() -> Iterator[int]:
    """Where nothing more can be written."""
    with Path("/dev/full").open("w") as file:
        yield file.fileno()


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("arguments", [["--help"], OPERATE, [*OPERATE, "--json"]], ids=" ".join)
def test_a_full_disk_is_one_line(arguments: list[str], full: int) -> None:
    said = "error: the output cannot be written: No space left on device\n"
    assert run(*arguments, stdout=full) == (1, said)


@pytest.mark.parametrize("arguments", [["--help"], OPERATE], ids=" ".join)
def test_nothing_is_said_if_nobody_reads_any_more(arguments: list[str], unread: int) -> None:
    assert run(*arguments, stdout=unread) == (141, "")


def test_a_closed_output_is_no_success() -> None:
    said = "error: the output cannot be written: Bad file descriptor\n"
    assert run(*OPERATE, stdout=None) == (1, said)


def test_remarks_that_cannot_be_written_end_the_program_too(full: int, unread: int) -> None:
    assert run("nonsense", stdout=subprocess.DEVNULL, stderr=full)[0] == 1
    assert run("nonsense", stdout=subprocess.DEVNULL, stderr=unread)[0] == 1


class Broken(io.StringIO):
    """Cannot be written."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(("number", "status"), [(errno.EPIPE, 141), (errno.ENOSPC, 1)])
def test_output_is_flushed_before_the_end(
    number: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", Broken(number))
    with pytest.raises(SystemExit) as ended, guarded_output():
        sys.exit(0)
    assert ended.value.code == status


def test_a_connection_that_breaks_is_not_taken_for_the_output() -> None:
    with pytest.raises(BrokenPipeError), guarded_output():
        raise BrokenPipeError


def test_a_closed_standard_error_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with guarded_output():
        Console().err("a remark")
    assert sys.stderr is None
