"""Encoded words that cannot be decoded: what each way to decode makes of them."""

import pytest

from gateway.multipart.encoded_words import decode_each_word, decode_tokens, decode_words

GOOD = "=?utf-8?Q?b?="
BROKEN = {
    "Base64 of no bytes": "=?utf-8?B?a?=",
    "an unknown charset": "=?x-unknown?Q?a?=",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_one_that_cannot_be_decoded_leaves_the_text_as_it_is(broken: str) -> None:
    for written in (broken, f"{broken} {GOOD}", f"{GOOD} {broken}"):
        assert decode_words(written) is None


@pytest.mark.parametrize("after", ["", " =?latin-1?Q?a?="])
def test_bytes_that_are_no_text_of_their_charset_are_none(after: str) -> None:
    assert decode_words(f"=?utf-8?Q?=FF?={after}") is None
    assert decode_each_word("=?utf-8?Q?=FF?=") == ["\ufffd"]


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_each_by_itself_means_those_that_can_be_decoded(broken: str) -> None:
    assert decode_each_word(f"{broken} {GOOD}") == ["b"]


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_token_that_cannot_be_decoded_stays(broken: str) -> None:
    assert decode_tokens(f"{broken} {GOOD}") == f"{broken} b"
