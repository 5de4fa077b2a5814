"""What a page would load from another server. Pure."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

_ELSEWHERE: Final = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_IN_STYLES: Final = re.compile(
    r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE
)
_LOADED_LINKS: Final = frozenset(
    {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload"}
)
_LOADING: Final = frozenset({"src", "srcset", "poster", "data"})


def in_page(html: str) -> list[str]:
    """The addresses of scripts, styles, fonts, pictures and so on that are not the site's own."""
    reader = _Reader()
    reader.feed(html)
    return reader.found


def in_style(css: str) -> list[str]:
    """The same of a stylesheet."""
    return [match[1] for match in _IN_STYLES.finditer(css)]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        self.found += [each for each in _loaded(tag, attrs) if _ELSEWHERE.match(each)]
        self.found += in_style(dict(attrs).get("style") or "")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.found += in_style(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"


def _loaded(tag: str, attrs: list[tuple[str, str | None]]) -> Iterator[str]:
    """What the browser loads for an element, without a click."""
    values = {name: value or "" for name, value in attrs}
    if tag == "link" and _LOADED_LINKS & set(values.get("rel", "").lower().split()):
        yield values.get("href", "")
    if tag != "a":
        yield from (values[name].strip() for name in _LOADING & values.keys())
