"""One resource, one spelling."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.paths import canonical

PATHS = st.lists(st.sampled_from(["a", "Z9", "%41", "%7e", "%2F", "%3b", "%25", "é", ";x=y", "/"]))


@given(PATHS.map("".join))
def test_a_canonical_path_is_its_own(path: str) -> None:
    assert canonical(canonical(path)) == canonical(path)


@given(st.characters(max_codepoint=127))
def test_just_what_is_unreserved_can_be_written_both_ways(character: str) -> None:
    encoded = f"/x%{ord(character):02x}"
    unreserved = character.isalnum() or character in "-._~"
    assert canonical(encoded) == (unquote(encoded) if unreserved else encoded)
