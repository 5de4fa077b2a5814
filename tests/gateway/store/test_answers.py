"""What headers of answers say; one that S3 would not send is found out."""

import pytest
from botocore.parsers import ResponseParserError  # noqa: TID251 - how a foreign answer is reported
from hypothesis import given
from hypothesis import strategies as st

from gateway.store import answers

DATE = "Sun, 29 Nov 2026 07:00:00 GMT"
LATER = "Sun, 29 Nov 2026 07:00:30 GMT"


def test_an_age_is_between_two_times_of_the_store() -> None:
    assert answers.age({"last-modified": DATE, "date": LATER}) == 30
    assert answers.age({"last-modified": LATER, "date": DATE}) == 0
    assert answers.age({"last-modified": "Sun, 29 Nov 2026 07:00:00 -0000", "date": LATER}) == 30


def test_an_answer_without_a_date_is_dated_now() -> None:
    assert answers.age({"last-modified": DATE}) > 0 or answers.age({"last-modified": LATER}) == 0


@pytest.mark.parametrize("date", ["", "yesterday", "2026-11-29T07:00:00Z", "Sun, 99 Nov 2026"])
def test_an_invalid_date_is_not_an_s3_answer(date: str) -> None:
    with pytest.raises(ResponseParserError):
        answers.age({"last-modified": date, "date": DATE})


@pytest.mark.parametrize("headers", [{}, {"etag": ""}])
def test_an_object_has_a_version(headers: dict[str, str]) -> None:
    assert answers.etag({"etag": '"1"'}) == '"1"'
    with pytest.raises(ResponseParserError):
        answers.etag(headers)


@pytest.mark.parametrize("length", ["", "-1", "1.0", "many", "²"])
def test_a_size_is_a_number(length: str) -> None:
    assert answers.size({"content-length": "7"}) == 7
    with pytest.raises(ResponseParserError):
        answers.size({"content-length": length})


@given(st.integers(0, 2**40), st.integers(1, 2**30), st.integers(0, 2**30))
def test_a_range_has_its_announced_length(start: int, asked: int, more: int) -> None:
    sent = min(asked, more + 1)
    headers = {"content-range": f"bytes {start}-{start + sent - 1}/*"}
    assert answers.range_length(206, headers, start, start + asked) == sent


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, {}),
        (206, {"content-range": "bytes 0-9/10"}),
        (206, {"content-range": "bytes 5-10/20"}),
        (206, {"content-range": "bytes 5-4/20"}),
        (206, {"content-range": "bytes */20"}),
        (206, {"content-range": "bytes=5-9/20"}),
        (206, {"content-range": "bytes 5-9"}),
        (200, {"content-length": "20"}),
        (200, {"content-length": "5"}),
        (200, {}),
    ],
)
def test_other_bytes_than_the_range_are_refused(status: int, headers: dict[str, str]) -> None:
    with pytest.raises(ResponseParserError):
        answers.range_length(status, headers, 5, 10)


def test_a_whole_object_that_is_the_range_is_accepted() -> None:
    assert answers.range_length(200, {"content-length": "10"}, 0, 10) == 10
    assert answers.range_length(200, {"content-length": "0"}, 0, 10) == 0
    with pytest.raises(ResponseParserError):
        answers.range_length(200, {"content-length": "11"}, 0, 10)
