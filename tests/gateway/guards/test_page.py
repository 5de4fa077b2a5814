"""Each guard names its fault, has a test, and is on the page that lists them all."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from gateway import guards

MODULES = (
    *(f"gateway.guards.{module.name}" for module in pkgutil.iter_modules(guards.__path__)),
    "workers.celery_guards",
)


def guards_of(name: str) -> dict[str, type]:
    """By what the page calls them."""
    module = importlib.import_module(name)
    short = name.removeprefix("gateway.guards.")
    classes = inspect.getmembers(module, inspect.isclass)
    return {
        f"{short}.{found}": class_
        for found, class_ in classes
        if class_.__module__ == name and not hasattr(class_, "dispatcher_cls")
    }


@pytest.mark.parametrize("module", MODULES)
def test_each_guard_names_its_fault(module: str) -> None:
    for name, guard in guards_of(module).items():
        told = inspect.getdoc(guard) or ""
        assert f"| `{name}` |" in (guards.__doc__ or "")
        assert re.search(r"(?s)Fault: .*Seen in\s+[a-z-]+ \d", told), name
        assert re.search(r"Reported: https://github\.com/|Not\s+reported", told), name


@pytest.mark.parametrize("module", MODULES)
def test_each_guard_has_a_test_of_its_fault(module: str) -> None:
    here = Path(__file__)
    texts = [file.read_text() for file in here.parent.glob("test_*.py") if file != here]
    for guard in guards_of(module).values():
        assert any(re.search(rf"\b{guard.__name__}\b", text) for text in texts), guard


def test_the_page_names_no_other() -> None:
    told = set(re.findall(r"\| `([\w.]+)` \|", guards.__doc__ or ""))
    assert told == {name for module in MODULES for name in guards_of(module)}
