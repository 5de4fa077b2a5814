"""How real clients write file names in forms: `<client>.json`, by `tests.clients.names.record`.

Each has one body for each of NAMES; a body's characters are its bytes (Latin-1).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CAPTURES: Final = Path(__file__).parent

NAMES: Final = (
    "cat.png",
    'a"b.png',
    "a\\b.png",
    "100%22 %41.png",
    "żółw 猫 😀.png",
    "\u200f\u05e9\u05dc\u05d5\u05dd 1.png",
    "it's (1) [x]; y=z, ü.png",
    "👨\u200d👩\u200d👧 two  blanks.png",
)


@dataclass(frozen=True)
class Named:
    """One body of one client, and the name that its user gave the file."""

    client: str
    name: str
    content_type: str
    body: bytes


def load_all() -> Iterator[Named]:
    """Every body of every client."""
    for path in sorted(CAPTURES.glob("*.json")):
        capture = json.loads(path.read_text())
        for body in capture["bodies"]:
            content = body["body"].encode("latin-1")
            yield Named(capture["client"], body["name"], body["content_type"], content)
