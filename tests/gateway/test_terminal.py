"""Progress and colours: on a terminal, and nowhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

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
