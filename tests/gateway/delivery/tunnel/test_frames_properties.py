"""Where frames end, whatever the pieces in which they come."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.tunnel.frames import Boundaries
from tests.gateway.delivery.tunnel.test_frames import frame

FRAMES = st.lists(
    st.builds(
        frame,
        opcode=st.sampled_from((0, 1, 2)),
        payload=st.binary(max_size=125) | st.integers(0, 70_000).map(bytes),
        masked=st.booleans(),
    )
    | st.builds(
        frame,
        opcode=st.sampled_from((9, 10)),
        payload=st.binary(max_size=125),
        masked=st.booleans(),
    ),
    max_size=6,
)
CUTS = st.lists(st.integers(0, 80_000))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[a:b] for a, b in pairwise(edges)]


@given(FRAMES, CUTS)
def test_boundaries_are_where_frames_end(frames: list[bytes], cuts: list[int]) -> None:
    ends, end = {0}, 0
    for each in frames:
        end += len(each)
        ends.add(end)
    boundaries, at = Boundaries(), 0
    for piece in pieces(b"".join(frames), cuts):
        boundaries.feed(piece)
        at += len(piece)
        assert boundaries.at_boundary == (at in ends)


@given(FRAMES, CUTS)
def test_the_next_boundary_is_the_end_of_the_frame(frames: list[bytes], cuts: list[int]) -> None:
    data, end = b"".join(frames), 0
    for each in frames:
        end += len(each)
        boundaries, at = Boundaries(), 0
        boundaries.feed(data[: end - len(each)])
        rest = data[end - len(each) :]
        for piece in pieces(rest, cuts):
            taken = boundaries.feed_to_boundary(piece)
            at += taken
            if boundaries.at_boundary:
                break
            assert taken == len(piece)
        assert at == len(each)


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_are_followed(data: list[bytes]) -> None:
    whole, cut = Boundaries(), Boundaries()
    whole.feed(b"".join(data))
    for piece in data:
        cut.feed(piece)
    assert (whole.at_boundary, whole.over) == (cut.at_boundary, cut.over)
