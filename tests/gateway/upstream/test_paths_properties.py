"""One resource, one spelling."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.paths import base_path, matched, normal

PATHS = st.lists(
    st.sampled_from(["a", "Z9", "%41", "%7e", "%2F", "%3b", "%25", "é", "%c3%a9", "/"])
)


@given(PATHS.map("".join))
def test_a_normal_path_is_its_own(path: str) -> None:
    assert normal(normal(path)) == normal(path)
    assert unquote(normal(path)) == unquote(path)


@given(st.characters(max_codepoint=127))
def test_just_what_is_unreserved_can_be_written_both_ways(character: str) -> None:
    encoded = f"/x%{ord(character):02x}"
    unreserved = character.isalnum() or character in "-._~"
    assert normal(encoded) == (unquote(encoded) if unreserved else f"/x%{ord(character):02X}")


def test_routes_are_compared_with_what_a_path_means() -> None:
    assert matched("/a%40b/") == matched("/a@b") == "/a@b"
    assert matched("/") == "/"


@given(st.text().filter(lambda text: not {*text} & {*"/%"}))
def test_only_numbers_are_compared_in_another_spelling(segment: str) -> None:
    segment = segment.lstrip("+-0#")
    if not any(character.isdigit() for character in segment):
        assert matched(f"/{segment}x") == f"/{segment}x"


@given(st.integers(0, 2**63 - 1), st.integers(0, 9))
def test_a_number_is_compared_as_itself(number: int, zeros: int) -> None:
    assert matched(f"/x/{'0' * zeros}{number}/y") == f"/x/{number}/y"
    assert matched(f"/x/{number:#x}") == matched(f"/x/%2B%23{number:X}") == f"/x/{number}"


def test_the_path_of_a_base_url_is_as_normal_as_those_below_it() -> None:
    assert base_path("https://x.example/b%61se%c3%a9/") == "/base%C3%A9"
