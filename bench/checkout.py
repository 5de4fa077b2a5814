"""States of the source that are compared: this one, and others in other directories."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """A directory of the source, and its own command line, which runs that source."""

    name: str
    directory: Path
    program: Path


HERE = Checkout(
    "here", Path(__file__).parents[1], Path(sys.executable).with_name("chatkitty-gateway")
)


def parse_checkout(text: str) -> Checkout:
    """The checkout in a directory that has a `.venv` of its own, for argparse.

    Raises argparse.ArgumentTypeError if its command line is missing.
    """
    directory = Path(text).resolve()
    program = directory / ".venv" / "bin" / "chatkitty-gateway"
    if not program.exists():
        raise argparse.ArgumentTypeError(f"{program} is missing")
    return Checkout(directory.name, directory, program)
