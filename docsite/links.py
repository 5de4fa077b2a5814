"""Which files of the project are pages of the site, and what becomes of their links. Pure."""

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Final

OTHER_PAGES: Final[Mapping[str, str]] = {
    "README.md": "overview.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
"""Pages outside docs/, by their place in the project, and their place in the site."""

_DOCS: Final = "docs/"
_MADE: Final = {"docs/decisions": "decisions/index.md", "gateway/openapi.json": "openapi.md"}
"""Pages that are made of what is no page."""
_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<label>[^\]\[]*)\]\((?P<target>[^()\s]+)\)")
_FENCE: Final = re.compile(r"(?ms)^(```.*?^```|~~~.*?^~~~)$")


class NoSuchFile(Exception):
    """A page links to a file that the project does not have."""


def page_of(path: str) -> str | None:
    """The place in the site of a file of the project; None if it has none."""
    if path in OTHER_PAGES:
        return OTHER_PAGES[path]
    if path in _MADE:
        return _MADE[path]
    return path.removeprefix(_DOCS) if path.startswith(_DOCS) else None


def source_of(page: str) -> str:
    """The file of the project that a page of the site is made of."""
    others = {place: path for path, place in OTHER_PAGES.items()}
    return others.get(page, _DOCS + page)


def rewritten(markdown: str, page: str, exists: Callable[[str], bool]) -> str:
    """The page with links that work in the site.

    A link to a file of the project that is no page becomes its label. Raises NoSuchFile.
    """
    pieces = _FENCE.split(markdown)
    pieces[::2] = [_LINK.sub(lambda found: _link(found, page, exists), p) for p in pieces[::2]]
    return "".join(pieces)


def index_of(decisions: Mapping[str, str]) -> str:
    """The page that lists decisions, by the names of their files and their titles."""
    lines = [f"- [{title}]({name})" for name, title in sorted(decisions.items())]
    return "\n".join(["# Decisions", "", "Why it is built as it is.", "", *lines, ""])


def title_of(markdown: str) -> str:
    """The first heading."""
    return next(line for line in markdown.splitlines() if line.startswith("# "))[2:]


def _link(found: re.Match[str], page: str, exists: Callable[[str], bool]) -> str:
    target, mark, anchor = found["target"].partition("#")
    if not target or "://" in target or target.startswith("mailto:"):
        return found[0]
    source = source_of(page)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if not exists(path):
        raise NoSuchFile(f"{source} links to {found['target']}")
    place = page_of(path)
    if place is None:
        return found["label"]
    relative = posixpath.relpath(place, posixpath.dirname(page) or ".")
    return f"{found['image']}[{found['label']}]({relative}{mark}{anchor})"
