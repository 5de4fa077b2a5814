"""Links of any JSON document are changed, however it is cut, and nothing else of it."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.links import Links
from tests.gateway.delivery.test_links import ORIGIN, OURS

NAMES = st.sampled_from(("_links", "href", "properties", "url", "self", 'a"\\', "é"))
URLS = st.builds(
    str.__add__,
    st.sampled_from((ORIGIN, ORIGIN[:-3], ORIGIN + ".evil", "http://other", "")),
    st.sampled_from(("", "/", "/v1/a", "?x", "#x", '"', "\\", ":8443/")),
)
DOCUMENTS = st.recursive(
    URLS | st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


def expected(value: Any, name: str = "", *, in_links: bool = False) -> Any:
    """The document with other links, by a library's parser."""
    if isinstance(value, list):
        # An array has no keys: what is in it is no value of `href`.
        return [expected(each, "", in_links=in_links or name == "_links") for each in value]
    if isinstance(value, dict):
        if name == "properties":
            return value
        inside = in_links or name == "_links"
        return {key: expected(each, key, in_links=inside) for key, each in value.items()}
    if name == "href" and in_links and isinstance(value, str) and value.startswith(ORIGIN):
        rest = value[len(ORIGIN) :]
        if rest[:1] in ("", "/", "?", "#"):
            return OURS + rest
    return value


def rewritten(text: bytes, cuts: list[int]) -> bytes:
    links = Links(ORIGIN.encode(), OURS.encode())
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(edges)]
    return b"".join(links.feed(piece) for piece in pieces) + links.end()


@given(DOCUMENTS, st.lists(st.integers(0, 600)), st.booleans(), st.sampled_from((None, 1)))
def test_links_and_nothing_else_are_changed(
    document: Any, cuts: list[int], slashes: bool, indent: int | None
) -> None:
    text = json.dumps(document, indent=indent)
    if slashes:
        text = text.replace("/", "\\/")
    assert json.loads(rewritten(text.encode(), cuts)) == expected(document)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_any_bytes_come_out_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    assert rewritten(data, cuts) == rewritten(data, [])


@given(DOCUMENTS)
def test_no_more_than_an_origin_is_held(document: Any) -> None:
    links, passed = Links(ORIGIN.encode(), ORIGIN.encode()), 0
    for fed, byte in enumerate(json.dumps(document).encode(), start=1):
        passed += len(links.feed(bytes([byte])))
        assert fed - passed <= 2 * len(ORIGIN) + 2
