import pytest

from gateway.errors import PartLimitExceeded
from gateway.store.parts import MAX_PARTS, part_size

MIB = 1024**2
GIB = 1024**3
S3_LARGEST_PART = 5 * GIB
S3_SMALLEST_PART = 5 * MIB
S3_LARGEST_OBJECT = 5 * 1024 * GIB


def test_ten_thousand_parts_reach_the_largest_object() -> None:
    assert sum(part_size(number) for number in range(1, MAX_PARTS + 1)) >= S3_LARGEST_OBJECT


def test_every_part_has_a_size_that_s3_accepts() -> None:
    sizes = [part_size(number) for number in range(1, MAX_PARTS + 1)]
    assert min(sizes) >= S3_SMALLEST_PART
    assert max(sizes) <= S3_LARGEST_PART
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("number", "size"),
    [(1, 8), (2_000, 8), (2_001, 32), (4_001, 128), (8_000, 512), (8_001, 2048), (10_000, 2048)],
)
def test_a_part_grows_every_two_thousand_parts(number: int, size: int) -> None:
    assert part_size(number) == size * MIB


@pytest.mark.parametrize("number", [-1, 0, MAX_PARTS + 1])
def test_there_is_no_part_outside_one_to_ten_thousand(number: int) -> None:
    with pytest.raises(PartLimitExceeded):
        part_size(number)
