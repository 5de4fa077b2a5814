"""Finds a server's program: the one that a variable names, else the wheel's, else the PATH's."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from gateway.stack.part import PartError


def program(variable: str, embedded: Callable[[], Path | None], *names: str) -> str | None:
    """The path of a server's program; `embedded` returns the wheel's.

    The PATH is searched last, since its version is not the tested one. Returns None if there is no
    program. Raises PartError if the variable names none.
    """
    if named := os.environ.get(variable):
        if (found := shutil.which(named)) is None:
            raise PartError(f"{variable} names no program: {named}")
        return found
    if (wheels := embedded()) is not None:
        return str(wheels)
    return next((found for name in names if (found := shutil.which(name)) is not None), None)
