import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.server.ranges import ByteRange, Validators, requested_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ByteRange(0, 100, partial=False)),
        ("bytes=0-9", ByteRange(0, 10, partial=True)),
        ("BYTES=0-9", ByteRange(0, 10, partial=True)),
        ("Bytes=-10", ByteRange(90, 100, partial=True)),
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


ONE = Validators('"a-1"', "Sat, 28 Nov 2026 10:00:00 GMT")


@pytest.mark.parametrize(
    ("if_range", "holds"),
    [
        (None, True),
        ('"a-1"', True),
        (' "a-1" ', True),
        ("Sat, 28 Nov 2026 10:00:00 GMT", True),
        ("Sat, 28 Nov 2026 10:00:01 GMT", False),
        ('W/"a-1"', False),
        ('"a-2"', False),
        ("a-1", False),
        ("", False),
    ],
)
def test_a_range_is_taken_of_the_content_that_the_reader_has(
    if_range: str | None, holds: bool
) -> None:
    assert ONE.hold(if_range) is holds


@pytest.mark.parametrize(
    ("if_none_match", "known"),
    [
        (None, False),
        ("*", True),
        ('"a-1"', True),
        ('W/"a-1"', True),
        ('"b", "a-1"', True),
        ('"b","a-10"', False),
        ("a-1", False),
        ("", False),
    ],
)
def test_a_reader_that_has_the_content_gets_it_not_again(
    if_none_match: str | None, known: bool
) -> None:
    assert ONE.is_known(if_none_match) is known
