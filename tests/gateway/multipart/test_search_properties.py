"""The library's search finds what Python's own finds, wherever the bytes lie."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.multipart.delimiter import find
from tests.examples import examples

BOUNDARY = b"--------------------------4672aa91bc03de5f"
NEEDLES = st.sampled_from(
    [
        b"\n--" + BOUNDARY,
        b"\r\n--" + BOUNDARY + b"\r\n",
        b"--" + BOUNDARY,
        b"--b",
        b"----",
        b"\r--a",
    ]
)


@st.composite
def searches(draw: st.DrawFn) -> tuple[bytes, bytes, int]:
    """Bytes that are full of pieces of the needle, the needle, and where to begin."""
    needle = draw(NEEDLES)
    at = st.integers(0, len(needle))
    piece = st.builds(lambda begin, end: needle[begin:end], at, at)
    filler = st.integers(0, 200).map(lambda size: b"x" * size)
    data = b"".join(draw(st.lists(piece | filler | st.just(needle), max_size=20)))
    return data, needle, draw(st.integers(0, len(data)))


@given(searches())
@examples(1000)
def test_both_find_the_same(search: tuple[bytes, bytes, int]) -> None:
    data, needle, begin = search
    assert find(data, needle, begin) == data.find(needle, begin)
