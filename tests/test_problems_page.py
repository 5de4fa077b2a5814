"""`docs/problems.md` is what the code answers.

After a change of the problems: `UPDATE_EXAMPLES=1 pytest tests/test_problems_page.py`.
"""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway import problems
from gateway.uploads import record

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "problems.md"
ENDS: Final = "## Ends of uploads\n"
ANSWERS: Final = "## Answers\n"


def titles() -> dict[tuple[int, str], list[str]]:
    """The titles of every type of problem that is answered, by its status and its name."""
    found: dict[tuple[int, str], list[str]] = {}
    kinds = {*problems.PROBLEMS.values(), problems.INTERNAL, problems.OUTCOME_UNKNOWN}
    for kind in sorted(kinds, key=lambda kind: (kind.status, kind.slug, kind.title)):
        found.setdefault((kind.status, kind.slug), []).append(kind.title)
    return found


def rendered() -> str:
    rows = "".join(
        f"| {status} | `{slug}` | {'; '.join(texts)} |\n"
        for (status, slug), texts in titles().items()
    )
    return f"{ANSWERS}\n| status | type | title |\n| --- | --- | --- |\n{rows}"


def test_the_page_has_every_problem() -> None:
    head, marker, _ = PAGE.read_text().partition(ANSWERS)
    assert marker
    made = head + rendered()
    if os.environ.get("UPDATE_EXAMPLES"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made


def test_the_page_has_every_end() -> None:
    _, _, rest = PAGE.read_text().partition(ENDS)
    table, _, _ = rest.partition(ANSWERS)
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {slug for row in rows for slug in re.findall(r"`([a-z-]+)`", row)} == set(_ends())


def _ends() -> Iterator[str]:
    """The slug of every fault and rejection that the code makes."""
    for package in ("gateway", "workers"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                match node:
                    case ast.Call(func=ast.Name(id="Fault" | "Rejected"), args=[slug, *_]):
                        yield from _named(slug)


def _named(slug: ast.expr) -> Iterator[str]:
    match slug:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name):
            yield str(getattr(record, name))
