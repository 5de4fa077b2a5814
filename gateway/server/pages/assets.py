"""The pages as the package has them: each file has a hash in its name, so that it never changes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

_TYPES: Final = {"css": "text/css", "js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that a page loads."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Assets:
    """Pages by their plain names, and what they load by the names with hashes."""

    pages: Mapping[str, bytes]
    by_name: Mapping[str, Asset]


def load(prefix: str, pages: Sequence[str], loaded: Sequence[str]) -> Assets:
    """Read the package's files; those in `loaded` get their names, below the path `prefix`.

    Each of them comes after those that it names.
    """
    urls: dict[str, str] = {}
    by_name: dict[str, Asset] = {}
    for name in loaded:
        body = _read(name, urls)
        stem, _, kind = name.partition(".")
        hashed = f"{stem}.{hashlib.sha256(body).hexdigest()[:16]}.{kind}"
        urls[name] = prefix + hashed
        by_name[hashed] = Asset(_TYPES[kind], body)
    return Assets({name: _read(name, urls) for name in pages}, by_name)


def _read(name: str, urls: Mapping[str, str]) -> bytes:
    text = files(__package__).joinpath("static", name).read_text(encoding="utf-8")
    for plain, url in urls.items():
        text = text.replace(f'"./{plain}"', f'"{url}"')
    return text.encode()
