"""What the command line prints: results, remarks, and its progress if a person watches."""

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO, cast

import click

_COLOURS: Final = {"error": "red", "advice": "yellow", "warning": "yellow"}
"""By the first word of a line."""

_CLEAR: Final = "\r\x1b[K"

_NOT_WRITTEN: Final = 1
_NOBODY_READS: Final = 128 + signal.SIGPIPE
"""The exit statuses; shells have the latter for programs that SIGPIPE ended."""

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


class _NotWritten(Exception):
    """The output was not written, for this reason."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason.strerror or str(reason))
        self.nobody_reads = isinstance(reason, BrokenPipeError)


class _Guarded:
    """A stream whose failures cannot be taken for those of files or connections."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as the stream does. Raises _NotWritten."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _NotWritten(error) from error

    def flush(self) -> None:
        """Flush as the stream does. Raises _NotWritten."""
        try:
            self._stream.flush()
        except OSError as error:
            raise _NotWritten(error) from error

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self._stream, name)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Ends the program if it cannot write its output: quietly if nobody reads it any more.

    Otherwise, one line on standard error says why. If standard output is closed, writing to it
    fails; what nobody could read on a closed standard error is dropped.
    """
    before = sys.stdout, sys.stderr
    output, errors = before[0] or _unwritable(), before[1] or _nowhere()
    # Standard error stays as it is: servers log there, and go on if that fails.
    sys.stdout, sys.stderr = cast(TextIO, _Guarded(output)), errors
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except _NotWritten as error:
        failed = error
    else:
        return
    finally:
        sys.stdout, sys.stderr = before
    _forget(output)
    if failed.nobody_reads:
        _forget(errors)
        sys.exit(_NOBODY_READS)
    try:
        click.echo(painted(f"error: the output cannot be written: {failed}"), err=True)
    except OSError:
        _forget(errors)
    sys.exit(_NOT_WRITTEN)


def _unwritable() -> TextIO:
    """In place of a closed stream: it takes its descriptor, so that no connection gets it."""
    return os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _forget(stream: TextIO) -> None:
    """Drop what the stream still holds: Python would try to write it at the end, and complain."""
    with suppress(OSError, ValueError):  # one of a test has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


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
