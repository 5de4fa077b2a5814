"""What clients declare a file to be, by its name."""

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Final

_TABLE: Final = Path(__file__).with_name("declared.tsv")


@cache
def table() -> dict[str, dict[str, tuple[str, ...]]]:
    """The types of each extension, and the clients that declare them."""
    rows: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for line in _TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            extension, content_type, clients = line.split("\t")
            rows[extension][content_type] = tuple(clients.split(","))
    return dict(rows)
