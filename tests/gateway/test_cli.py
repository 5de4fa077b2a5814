"""What the command line needs before it knows which command it is to run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway.cli import main


def _imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_help_waits_for_no_server_or_client() -> None:
    assert not _imported_by("gateway.cli") & {"aiohttp", "botocore", "celery", "pydantic", "redis"}


def test_the_supervisor_of_several_processes_takes_no_memory_for_serving() -> None:
    modules = _imported_by("gateway.cli, gateway.settings, gateway.server.supervisor")
    assert not modules & {"aiohttp", "botocore", "celery", "kombu"}


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for sub, each in command.commands.items():
            yield from _commands(each, f"{name} {sub}")


@pytest.mark.parametrize(("name", "command"), [*_commands(main, "chatkitty-gateway")])
def test_help_explains_everything(name: str, command: click.Command) -> None:
    arguments = [*name.split()[1:], "--help"]
    said = CliRunner().invoke(main, arguments, prog_name="chatkitty-gateway", terminal_width=80)
    text = said.output
    assert text.startswith(f"Usage: {name}")
    assert "..." not in re.sub(r"\[ARGS\]\.\.\.|\]\.\.\.|ID\.\.\.|GATEWAY_\.\.\.", "", text)
    for each in command.params:
        if isinstance(each, click.Option):
            assert each.help, each.opts


PRINT_NO_RESULTS = {"chatkitty-gateway serve"}
"""It logs JSON."""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=name)
        for name, command in _commands(main, "chatkitty-gateway")
        if not isinstance(command, click.Group) and name not in PRINT_NO_RESULTS
    ],
)
def test_what_prints_results_prints_json_too(command: click.Command) -> None:
    assert "--json" in [option for each in command.params for option in each.opts]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str) -> None:
    """By the line that docs/operations.md has for it."""
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    variable = "_CHATKITTY_GATEWAY_COMPLETE"
    assert f"{variable}={shell}_source chatkitty-gateway" in page.read_text()
    command = Path(sys.executable).with_name("chatkitty-gateway")
    environ = {
        **os.environ,
        variable: f"{shell}_complete",
        "COMP_WORDS": "chatkitty-gateway uploads re"
        if shell != "fish"
        else "chatkitty-gateway uploads",
        "COMP_CWORD": "2" if shell != "fish" else "re",
    }
    done = subprocess.run([command], env=environ, capture_output=True, text=True, check=True)
    assert {"recover", "retry"} <= set(re.findall(r"\w+", done.stdout))
    assert "cancel" not in done.stdout


def test_the_version_is_that_of_the_package() -> None:
    said = CliRunner().invoke(main, ["--version"]).output
    assert version("chatkitty-gateway") in said
