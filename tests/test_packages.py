"""Each package says at its door what is in it, and what may come in."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(
    page for part in ("gateway", "workers") for page in (ROOT / part).rglob("__init__.py")
)


@pytest.mark.parametrize("page", PACKAGES, ids=lambda page: str(page.parent.relative_to(ROOT)))
def test_a_package_says_what_it_contains(page: Path) -> None:
    words = ast.get_docstring(ast.parse(page.read_text())) or ""
    assert len([line for line in words.splitlines() if line]) >= 3
