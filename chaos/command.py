"""Command lines of runs: options, where their files lie, reports, exit status."""

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from chaos.plan import Kind, chosen
from chaos.settle import CannotLook
from gateway.stack.part import PartError

_SHORTEST: Final = 15.0
_SEEDS: Final = 1_000_000


class Judged(Protocol):
    """The result of a run."""

    @property
    def passed(self) -> bool:
        """Whether it found no flaw."""


Result = TypeVar("Result", bound=Judged)


def parser_of(
    prog: str, description: str | None, faults: Sequence[Kind]
) -> argparse.ArgumentParser:
    """The options that all runs have; `faults` are the default ones."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--uploads", type=positive, default=2000)
    parser.add_argument("--seconds", type=float, help="that the load takes; default: by uploads")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(_SEEDS))
    parser.add_argument(
        "--faults", type=_kinds, default=faults, help=f"all, none, or some of {', '.join(Kind)}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--keep", action="store_true", help="keep data and logs in any case")
    return parser


def parsed(parser: argparse.ArgumentParser, seconds_per_upload: float) -> argparse.Namespace:
    """The options that were given, with the seconds that they imply."""
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = max(_SHORTEST, options.uploads * seconds_per_upload)
    return options


def judge(
    options: argparse.Namespace,
    prefix: str,
    run: Callable[[Path], Result],
    as_json: Callable[[Result], Mapping[str, object]],
    as_text: Callable[[Result], str],
) -> int:
    """Run it in a new directory, named by `prefix` and a random part, and print its report.

    Returns 0 if it found no flaw, 1 if it found any, 2 if there was no verdict, 130 after Ctrl-C.
    The directory stays if it found any, if there was no verdict, or if `options` say so.
    """
    data_dir = Path(tempfile.mkdtemp(prefix=prefix))
    keep = True
    try:
        result = run(data_dir)
        keep = options.keep or not result.passed
        document = {**as_json(result), "logs": str(data_dir / "logs") if keep else None}
        if keep:
            (data_dir / "report.json").write_text(json.dumps(document, indent=2))
        sys.stderr.flush()
        print(json.dumps(document) if options.json else as_text(result))
        if keep:
            say(f"logs, data and report.json: {data_dir}")
    except (PartError, CannotLook, ExceptionGroup) as error:
        say(f"error: {error}\nlogs: {data_dir}")
        return 2
    except KeyboardInterrupt:
        keep = options.keep
        return 130
    finally:
        if not keep:
            shutil.rmtree(data_dir, ignore_errors=True)
    return 0 if result.passed else 1


def say(text: str) -> None:
    """Print it at once, apart from the report."""
    print(text, file=sys.stderr, flush=True)


def positive(text: str) -> int:
    """A number of at least 1. Raises argparse.ArgumentTypeError."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _kinds(text: str) -> tuple[Kind, ...]:
    try:
        return chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
