"""The page on durability says for each key in the bucket what it is, and whether it may be lost."""

import re
from pathlib import Path

from gateway.doctor import examination
from gateway.uploads import keys

DURABILITY = Path(__file__).parents[3] / "docs" / "durability.md"


def rows() -> dict[str, list[str]]:
    """What the table says, by prefix."""
    text = DURABILITY.read_text()
    table = text.partition("\n## What the bucket holds\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `([a-z]+/?)(?:\{[^`]*)?` \| (.+) \|$", table, re.MULTILINE)
    return {prefix: cells.split(" | ") for prefix, cells in found}


def test_each_prefix_is_in_the_table() -> None:
    prefixes = {
        value
        for name, value in vars(keys).items()
        if name.isupper() and isinstance(value, str) and value.endswith("/")
    }
    probe = examination._PROBE.partition("/")[0] + "/"
    assert rows().keys() == prefixes | {keys.SWEEP, probe}


def test_each_row_is_complete() -> None:
    for prefix, cells in rows().items():
        assert len(cells) == 4, prefix
        assert all(cell.strip() for cell in cells), prefix
        assert re.match(r"(no|yes|when)\b", cells[-1]), prefix


def test_no_rule_may_expire_what_may_not_be_lost() -> None:
    warning = re.search(r"No lifecycle rule may expire\s([^;]*);", DURABILITY.read_text())
    assert warning is not None
    told = set(re.findall(r"`([a-z]+/)`", warning[1]))
    assert told == {prefix for prefix, cells in rows().items() if cells[-1].startswith("no:")}
