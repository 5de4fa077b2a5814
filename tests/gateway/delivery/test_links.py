"""Links of answers that lead to the gateway: which, and in which answers."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.delivery.links import Links, Rewriter, without_sums

ORIGIN, OURS = "https://api.chatkitty.com", "https://uploads.example.com"


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
        ('{"a\\\\\\u00e9": "\\\\", "_links": {}}', False),
        ('{"_links":{"self":{"href":["https://api.chatkitty.com/"]}}}', False),
    ],
)
def test_which_links_are_changed(text: str, changed: bool) -> None:
    found = Links(ORIGIN.encode(), OURS.encode()).whole(text.encode()).decode()
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


@pytest.mark.parametrize("text", [b'{"_li\\"nks":"\\\\"}', b'{"a":"' + b"\\u00e9" * 30 + b'"} '])
def test_a_text_without_links_is_passed_on_however_it_is_cut(text: bytes) -> None:
    for cut in range(len(text) + 1):
        links = Links(ORIGIN.encode(), OURS.encode())
        assert links.feed(text[:cut]) + links.feed(text[cut:]) + links.end() == text


@pytest.mark.parametrize("origin", ["https://api.chatkitty.com", "https:\\/\\/api.chatkitty.com"])
def test_a_link_that_is_cut_anywhere_is_changed_all_the_same(origin: str) -> None:
    text = f'{{"_links":{{"self":{{"href":"{origin}/v1"}},"next":{{"href":"{origin}"}}}}}}'.encode()
    for cut in range(len(text)):
        links = Links(ORIGIN.encode(), OURS.encode())
        found = links.feed(text[:cut]) + links.feed(text[cut:]) + links.end()
        assert found == text.replace(origin.encode(), OURS.encode())
