"""Links of answers that lead to the gateway: which, and in which answers."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.delivery.links import Links, Rewriter, without_sums

ORIGIN, OURS = "https://api.chatkitty.com", "https://uploads.example.com"

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


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ('{"_links":{"self":{"href":"https://api.chatkitty.com/v1"}}}', True),
        ('{ "_links" : [ { "href" : "https:\\/\\/api.chatkitty.com" } ] }', True),
        ('{"_links":{"self":{"href":"https://api.chatkitty.com\\u002eevil/"}}}', False),
        ('{"_links":{"self":{"href":"https:\\u002f\\u002fapi.chatkitty.com/"}}}', False),
        ('{"_links":{"self":{"href":"https://api.chatkitty.com:8443/"}}}', False),
        ('{"_links":{"self":{"href":"https:\\\\/api.chatkitty.com/"}}}', False),
        ('{"file":{"url":"https://api.chatkitty.com/files/1"},"_links":{}}', False),
        ('{"properties":{"_links":{"href":"https://api.chatkitty.com/"}}}', False),
        ('{"_links":{"properties":{"href":"https://api.chatkitty.com/"}}}', False),
        ('{"a":"\\"_links\\":{\\"href\\":\\"https://api.chatkitty.com/\\"}"}', False),
        ('{"_links":{"self":{"href":["https://api.chatkitty.com/"]}}}', False),
    ],
)
def test_which_links_are_changed(text: str, changed: bool) -> None:
    found = rewritten(text.encode(), []).decode()
    assert found == (text.replace("https://api.chatkitty.com", OURS).replace(
        "https:\\/\\/api.chatkitty.com", OURS
    ) if changed else text)  # fmt: skip
    if not changed:
        assert found == text


@pytest.mark.parametrize(
    ("status", "fields", "has"),
    [
        (200, {"Content-Type": "application/json"}, True),
        (404, {"Content-Type": "application/hal+json;charset=UTF-8"}, True),
        (200, {"Content-Type": "application/vnd.chatkitty.v1+json"}, True),
        (200, {"Content-Type": "application/json", "Content-Encoding": "identity"}, True),
        (200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, False),
        (200, {"Content-Type": "application/json", "Cache-Control": "no-Transform"}, False),
        (206, {"Content-Type": "application/json"}, False),
        (304, {"Content-Type": "application/json"}, False),
        (200, {"Content-Type": "text/json"}, False),
        (200, {"Content-Type": "application/jsonl"}, False),
        (200, {}, False),
    ],
)
def test_which_answers_have_links(status: int, fields: dict[str, str], has: bool) -> None:
    rewriter = Rewriter(f"{ORIGIN}/v1", f"{OURS}/")
    answered = CIMultiDictProxy(CIMultiDict(fields))
    links = rewriter.of(status, answered)
    assert (links is not None) == has
    if links is not None:
        text = b'{"_links":{"self":{"href":"https://api.chatkitty.com/v1/x"}}}'
        assert links.whole(text) == text.replace(ORIGIN.encode(), OURS.encode())


def test_sums_of_the_original_are_left_out() -> None:
    fields = CIMultiDict({"Content-Length": "1", "Content-MD5": "x", "Digest": "y", "ETag": "z"})
    assert list(without_sums(fields)) == ["ETag"]
