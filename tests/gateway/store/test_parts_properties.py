from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.parts import MAX_PARTS, PARTS_IN_FLIGHT, part_size, reservation

SIZES = [part_size(number) for number in range(1, MAX_PARTS + 1)]
ENDS = list(accumulate(SIZES, initial=0))

# From the number of full parts: lengths drawn at random would hardly meet the small ones.
lengths = st.builds(
    lambda full, share: ENDS[full] + int(share * SIZES[full]),
    st.integers(0, MAX_PARTS - 1),
    st.floats(0, 1),
)


def parts_of(length: int) -> list[int]:
    """The sizes of the parts that a file of that length is cut into."""
    sizes: list[int] = []
    while length > 0:
        sizes.append(min(length, SIZES[len(sizes)]))
        length -= sizes[-1]
    return sizes


@given(lengths)
def test_a_reservation_covers_any_run_of_parts_held_at_once(length: int):
    sizes = parts_of(length)
    held = 1 + PARTS_IN_FLIGHT
    runs = (sum(sizes[start : start + held]) for start in range(len(sizes)))
    assert max(runs, default=0) <= reservation(length) <= length


@given(lengths, lengths)
def test_a_longer_file_never_reserves_less(one: int, other: int):
    shorter, longer = sorted((one, other))
    assert reservation(shorter) <= reservation(longer)
