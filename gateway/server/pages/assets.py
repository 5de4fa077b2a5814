"""The page as the package has it: each file has a hash in its name, so that it never changes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

PREFIX: Final = "/gateway/admin/"

_TYPES: Final = {"css": "text/css", "js": "text/javascript"}
_FILES: Final = ("page.css", "dom.js", "lines.js", "page.js")
"""Each after those that it names."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Assets:
    """The page, the page that says how to turn it on, and what they load, by their names."""

    page: bytes
    off: bytes
    by_name: Mapping[str, Asset]


def load() -> Assets:
    """Read the package's files, and give them their names."""
    names: dict[str, str] = {}
    by_name: dict[str, Asset] = {}
    for name in _FILES:
        body = _named(name, names)
        stem, _, kind = name.partition(".")
        names[name] = f"{stem}.{hashlib.sha256(body).hexdigest()[:16]}.{kind}"
        by_name[names[name]] = Asset(_TYPES[kind], body)
    return Assets(_named("page.html", names), _named("off.html", names), by_name)


def _named(name: str, names: Mapping[str, str]) -> bytes:
    text = files(__package__).joinpath("static", name).read_text(encoding="utf-8")
    for plain, hashed in names.items():
        text = text.replace(f'"./{plain}"', f'"{PREFIX}{hashed}"')
    return text.encode()
