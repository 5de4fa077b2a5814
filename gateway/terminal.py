"""What the command line prints: results, remarks, and its progress if a person watches."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from typing import Final

import click

_COLOURS: Final = {"error": "red", "advice": "yellow", "warning": "yellow"}
"""By the first word of a line."""

_CLEAR: Final = "\r\x1b[K"

Count = Callable[[str, int], None]
"""Adds a number to the count of something."""


def use_colours(context: click.Context) -> None:
    """Print no colours if NO_COLOR says so; otherwise click prints them on terminals only."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False


def painted(line: str) -> str:
    """The line, with its first word coloured if that says how bad it is."""
    head, colon, rest = line.partition(":")
    colour = _COLOURS.get(head)
    return click.style(head, fg=colour, bold=True) + colon + rest if colour else line


class Console:
    """Results go to standard output, everything else to standard error.

    If that is a terminal, it also has one line of progress, which makes room for every other line.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._watched = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._counts: Counter[str] = Counter()
        self._status = ""

    def out(self, line: str) -> None:
        """Print a result."""
        self._print(line, err=False)

    def err(self, line: str) -> None:
        """Print a remark."""
        self._print(painted(line), err=True)

    def status(self, text: str) -> None:
        """Replace the line of progress; an empty text removes it."""
        if not self._watched:
            return
        # A longer line would be wrapped, and its beginning would stay.
        self._status = text[: shutil.get_terminal_size().columns - 1]
        click.echo(_CLEAR + self._status, nl=False, err=True, color=True)

    def count(self, what: str, more: int = 1) -> None:
        """Show how many there are of something."""
        if not self._watched:
            return
        self._counts[what] += more
        self.status(", ".join(f"{number:,} {each}" for each, number in self._counts.items()))

    def _print(self, line: str, *, err: bool) -> None:
        shown = self._status
        if shown:
            self.status("")
        click.echo(line, err=err)
        if shown:
            self.status(shown)
