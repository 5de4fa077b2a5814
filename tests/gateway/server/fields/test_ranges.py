from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.server.fields.ranges import ByteRange, Validators, Without, decide, requested_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", ByteRange(0, 10, partial=True)),
        ("BYTES=0-9", ByteRange(0, 10, partial=True)),
        ("Bytes=-10", ByteRange(90, 100, partial=True)),
        ("bytes=90-", ByteRange(90, 100, partial=True)),
        ("bytes=90-1000", ByteRange(90, 100, partial=True)),
        ("bytes=-10", ByteRange(90, 100, partial=True)),
        ("bytes=-1000", ByteRange(0, 100, partial=True)),
        ("bytes=90-9223372036854775807", ByteRange(90, 100, partial=True)),
        ("bytes=-18446744073709551615", ByteRange(0, 100, partial=True)),
        ("bytes=99999999999999999999-", None),
        ("bytes=100-", None),
        ("bytes=9-5", None),
        ("bytes=-0", None),
        ("bytes=0-1,5-6", ByteRange(0, 100, partial=False)),
        ("lines=0-9", ByteRange(0, 100, partial=False)),
        ("bytes=-", ByteRange(0, 100, partial=False)),
        ("bytes=\u0661-", ByteRange(0, 100, partial=False)),
    ],
)
def test_a_reader_gets_the_range_it_asks_for(header: str, expected: ByteRange | None) -> None:
    assert requested_range(header, 100) == expected


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d*-\d*"), st.integers(0, 2**40))
def test_a_range_never_leaves_the_file(header: str, size: int) -> None:
    found = requested_range(header, size)
    if found is not None:
        assert 0 <= found.start <= found.end <= size
        assert found.partial or found.length == size


ONE = Validators('"a-1"', datetime(2026, 11, 28, 10, tzinfo=UTC))
SAME = "Sat, 28 Nov 2026 10:00:00 GMT"
SAME_BY_OTHERS = ("Saturday, 28-Nov-26 10:00:00 GMT", "Sat Nov 28 10:00:00 2026")
LATER = "Sat, 28 Nov 2026 10:00:01 GMT"
EARLIER = "Sat, 28 Nov 2026 09:59:59 GMT"
NO_DATES = (
    "2026-11-28T10:00:00Z",
    "Sat, 28 Nov 2026 10:00:00 +0000",
    "Sat, 99 Nov 2026 10:00:00 GMT",
    "",
    "*",
    '"a-1"',
)
WHOLE = ByteRange(0, 100, partial=False)
PART = ByteRange(3, 8, partial=True)
RANGE = ("Range", "bytes=3-7")


def asked(*fields: tuple[str, str], method: str = "GET") -> ByteRange | Without:
    return decide(method, CIMultiDictProxy(CIMultiDict(fields)), ONE, 100)


def test_the_date_has_the_http_format() -> None:
    assert ONE.last_modified == SAME


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [
        ('"a-1"', PART),
        (' "a-1" ', PART),
        (SAME, PART),
        *((date, PART) for date in SAME_BY_OTHERS),
        (LATER, WHOLE),
        (EARLIER, WHOLE),
        ('W/"a-1"', WHOLE),
        ('"a-2"', WHOLE),
        ('"a-2", "a-1"', WHOLE),
        ("*", WHOLE),
        ("a-1", WHOLE),
        ("", WHOLE),
    ],
)
def test_a_range_is_served_of_the_content_that_the_reader_has(
    if_range: str, expected: ByteRange
) -> None:
    assert asked(RANGE, ("If-Range", if_range)) == expected
    assert asked(("If-Range", if_range)) == WHOLE
    beyond = Without.NOT_SATISFIABLE if expected == PART else WHOLE
    assert asked(("Range", "bytes=100-"), ("If-Range", if_range)) == beyond


@pytest.mark.parametrize(
    ("tags", "strongly", "weakly"),
    [
        (["*"], True, True),
        (['"a-1"'], True, True),
        (['W/"a-1"'], False, True),
        (['"b", "a-1"'], True, True),
        (['"b"', ' W/"a-1" , "c"'], False, True),
        (['"b","a-10"'], False, False),
        (["a-1"], False, False),
        ([""], False, False),
    ],
)
def test_tags_are_compared_strongly_for_a_part_and_weakly_for_the_same(
    tags: list[str], strongly: bool, weakly: bool
) -> None:
    match = [("If-Match", tag) for tag in tags]
    none_match = [("If-None-Match", tag) for tag in tags]
    for method in ("GET", "HEAD"):
        assert asked(*match, method=method) == (WHOLE if strongly else Without.FAILED)
        assert asked(*none_match, method=method) == (Without.NOT_MODIFIED if weakly else WHOLE)


@pytest.mark.parametrize(
    ("date", "modified_after", "known"),
    [
        (SAME, False, True),
        (LATER, False, True),
        (EARLIER, True, False),
        *((date, False, True) for date in SAME_BY_OTHERS),
        *((date, False, False) for date in NO_DATES),
    ],
)
def test_valid_dates_are_conditions(date: str, modified_after: bool, known: bool) -> None:
    assert asked(("If-Unmodified-Since", date)) == (Without.FAILED if modified_after else WHOLE)
    assert asked(("If-Modified-Since", date)) == (Without.NOT_MODIFIED if known else WHOLE)
    assert asked(("If-Modified-Since", date), ("If-Modified-Since", date)) == WHOLE


def test_a_head_has_no_range() -> None:
    for fields in ((RANGE,), (RANGE, ("If-Range", '"a-1"')), (("Range", "bytes=100-"),)):
        assert asked(*fields, method="HEAD") == WHOLE


def test_two_ranges_are_answered_with_the_whole_on_however_many_lines() -> None:
    assert asked(("Range", "bytes=0-1, 5-6")) == WHOLE
    assert asked(("Range", "bytes=0-1"), ("Range", "bytes=5-6")) == WHOLE


DEFINED = ("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since", "If-Range")
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "If-Match": st.sampled_from(['"a-1"', '"b"', "*"]),
        "If-Unmodified-Since": st.sampled_from([SAME, LATER, EARLIER, "never"]),
        "If-None-Match": st.sampled_from(['"a-1"', 'W/"a-1"', '"b"', "*"]),
        "If-Modified-Since": st.sampled_from([SAME, LATER, EARLIER, "never"]),
        "If-Range": st.sampled_from(['"a-1"', 'W/"a-1"', '"b"', SAME, EARLIER]),
        "Range": st.sampled_from(["bytes=3-7", "bytes=100-", "lines=3-7"]),
    },
)


def by_range(fields: dict[str, str]) -> ByteRange | Without:
    if fields.get("If-Range", SAME) not in {SAME, '"a-1"'}:
        return WHOLE
    if fields.get("Range") == "bytes=100-":
        return Without.NOT_SATISFIABLE
    return PART if fields.get("Range") == "bytes=3-7" else WHOLE


@given(CONDITIONS)
def test_conditions_are_asked_in_the_order_of_the_rfc(fields: dict[str, str]) -> None:
    """RFC 9110 section 13.2.2, step by step."""
    found = asked(*fields.items())

    def step_1_and_2() -> bool:
        if "If-Match" in fields:
            return fields["If-Match"] != '"b"'
        return fields.get("If-Unmodified-Since") != EARLIER

    def step_3_and_4() -> bool:
        if "If-None-Match" in fields:
            return fields["If-None-Match"] == '"b"'
        return fields.get("If-Modified-Since") not in {SAME, LATER}

    if not step_1_and_2():
        assert found is Without.FAILED
    elif not step_3_and_4():
        assert found is Without.NOT_MODIFIED
    else:
        assert found == by_range(fields)


@given(st.lists(st.text(max_size=40), max_size=2), st.sampled_from(sorted(DEFINED)))
def test_any_text_is_a_condition_or_none(values: list[str], name: str) -> None:
    found = asked(*((name, value) for value in values), RANGE)
    assert isinstance(found, ByteRange | Without)
