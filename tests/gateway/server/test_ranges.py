import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.server.ranges import ByteRange, requested_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ByteRange(0, 100, partial=False)),
        ("bytes=0-9", ByteRange(0, 10, partial=True)),
        ("bytes=90-", ByteRange(90, 100, partial=True)),
        ("bytes=90-1000", ByteRange(90, 100, partial=True)),
        ("bytes=-10", ByteRange(90, 100, partial=True)),
        ("bytes=-1000", ByteRange(0, 100, partial=True)),
        ("bytes=100-", None),
        ("bytes=9-5", None),
        ("bytes=-0", None),
        ("bytes=0-1,5-6", ByteRange(0, 100, partial=False)),
        ("lines=0-9", ByteRange(0, 100, partial=False)),
        ("bytes=-", ByteRange(0, 100, partial=False)),
        ("bytes=\u0661-", ByteRange(0, 100, partial=False)),
    ],
)
def test_a_reader_gets_the_range_it_asks_for(
    header: str | None, expected: ByteRange | None
) -> None:
    assert requested_range(header, 100) == expected


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d*-\d*"), st.integers(0, 2**40))
def test_a_range_never_leaves_the_file(header: str, size: int) -> None:
    found = requested_range(header, size)
    if found is not None:
        assert 0 <= found.start <= found.end <= size
        assert found.partial or found.length == size
