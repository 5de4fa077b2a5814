"""Secrets that must never be written, and where they are searched."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

_NAMES = ("_SECRET", "_SECRET_KEY", "_SECRET_ACCESS_KEY", "_ADMIN_TOKEN")
_LEAST = 8
"""Shorter secrets would be found by chance."""

_FILE_TOKEN: Final = rb"[\w-]{40,}"
_LINK: Final = re.compile(rb"/gateway/files/(" + _FILE_TOKEN + rb")/")
_WORD: Final = re.compile(_FILE_TOKEN)

_known: set[str] = set()
_links: set[bytes] = set()


def remember(environ: Mapping[str, str]) -> None:
    """Remember the secrets among a process's settings."""
    for name, value in environ.items():
        if name.endswith(_NAMES):
            remember_tokens(value.split(","))
    pairs = environ.get("GATEWAY_AUTH_STATIC_TOKENS", "").split(",")
    remember_tokens(pair.rpartition(":")[2] for pair in pairs)


def remember_tokens(tokens: Iterable[str]) -> None:
    _known.update(token for token in tokens if len(token) >= _LEAST)


def remember_links(answer: bytes) -> None:
    """Remember the tokens of the hosted files that an answer names."""
    _links.update(_LINK.findall(answer))


def links_in(written: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where tokens of hosted files were found; records contain them, and logs must not."""
    return [where for where, data in written if not _links.isdisjoint(_WORD.findall(data))]


def known() -> list[str]:
    """All secrets that this process of the suite has used so far."""
    return sorted(_known)


def found_in(written: Iterable[tuple[str, bytes]], secrets: Iterable[str]) -> list[str]:
    """The places in written files at which each secret was found in clear text."""
    needles = [secret.encode() for secret in secrets]
    return [
        f"{where}: {needle.decode()[:4]}…"
        for where, data in written
        for needle in needles
        if needle in data
    ]


def files_below(directory: Path, *, but: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Every file below the directory with its bytes, except in the named subdirectories."""
    left_out = tuple(directory / name for name in but)
    for path in directory.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(other) for other in left_out):
            yield str(path), path.read_bytes()
