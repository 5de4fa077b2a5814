"""The events that the code logs, read from the code itself."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_LEVELS: Final = {"debug", "info", "warning", "error", "exception"}
_NO_FIELDS: Final = {"exc_info"}


@dataclass
class Event:
    """An event's levels, and all fields that it may bear beside those of every event."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def logged() -> dict[str, Event]:
    """Every event that gateway and workers log, the sandbox aside, which is for development."""
    found: dict[str, Event] = {}
    for package in ("gateway", "workers"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if "sandbox" not in file.parts:
                for call in _calls(ast.parse(file.read_text())):
                    _take(call, found)
    return found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value
            logs = isinstance(of, ast.Name) and of.id == "log"
            makes = isinstance(of, ast.Call) and ast.unparse(of.func) == "get_logger"
            if (logs or makes) and node.func.attr in _LEVELS:
                yield node


def _take(call: ast.Call, found: dict[str, Event]) -> None:
    name = call.args[0]
    assert isinstance(name, ast.Constant), f"an event's name is no constant: {ast.unparse(call)}"
    assert isinstance(call.func, ast.Attribute)
    event = found.setdefault(str(name.value), Event())
    level = call.func.attr
    event.levels.add("error" if level == "exception" else level)
    # What is given by ** are the ids, which every event bears.
    event.fields |= {word.arg for word in call.keywords if word.arg} - _NO_FIELDS
    if level == "exception" or any(word.arg == "exc_info" for word in call.keywords):
        event.fields.add("exception")
