"""Hostile and broken bodies: what is ambiguous, what is refused, and what is only unusual."""

import re

import pytest

from fuzz.feeding import Scanned, raw_part, scan, scan_every_way
from gateway.multipart import Ambiguity, Declared, declared_boundaries
from tests.gateway.multipart.hostile_bodies import AMBIGUOUS, BOUNDARIES, UNUSUAL, within


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_two_readers_could_see_differently_is_ambiguous(case: str) -> None:
    body, expected = AMBIGUOUS[case]
    result = scan([body]) if len(body) > 1000 else scan_every_way(body)
    assert isinstance(result, Scanned)
    assert set(result.ambiguities) == expected
    assert len(result.ambiguities) == len(expected)


@pytest.mark.parametrize("case", UNUSUAL)
def test_merely_unusual_forms_are_read_as_by_every_reader(case: str) -> None:
    head, name, filename = UNUSUAL[case]
    body = raw_part(head)
    result = scan([body]) if len(body) > 1000 else scan_every_way(body)
    assert isinstance(result, Scanned)
    assert result.contents == [(name, filename, b"data")]
    assert result.ambiguities == ()


def test_a_thousand_nested_forms_are_opaque_bytes() -> None:
    inner = b"".join(b"--%d\r\nContent-Type: multipart/mixed\r\n\r\n" % n for n in range(1000))
    assert scan([within(inner)]).contents == [("file", None, inner), ("b", None, b"")]


@pytest.mark.parametrize("content_type", ["multipart/related; boundary=n", "message/rfc822"])
def test_a_saved_page_or_letter_is_a_file_like_any_other(content_type: str) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="a.mht"\r\nContent-Type: '
    assert scan([raw_part(head + content_type.encode())]).ambiguities == ()


def test_a_header_in_form_data_is_no_reason_to_end_the_part_before_its_delimiter() -> None:
    data = b"\r\n\r\nContent-Disposition: form-data; name=x\r\n\r\n"
    assert scan([within(data)]).contents == [("file", None, data), ("b", None, b"")]


@pytest.mark.parametrize("case", BOUNDARIES)
def test_boundaries_that_readers_could_choose_from(case: str) -> None:
    content_type, body, expected = BOUNDARIES[case]
    result = scan_every_way(body, declared_boundaries(content_type))
    assert isinstance(result, Scanned)
    assert set(result.ambiguities) == expected


def test_several_boundaries_of_which_the_body_has_none_are_ambiguous_at_its_end() -> None:
    result = scan_every_way(b"x", Declared((b"a", b"b")))
    assert isinstance(result, Scanned)
    assert result.ambiguities == (Ambiguity.BOUNDARY_UNUSED, Ambiguity.TRUNCATED)


def test_every_ambiguity_has_a_sentence_of_its_own_and_a_case_here() -> None:
    assert all(re.fullmatch(r"[A-Z].+[^.]\.", reason.value) for reason in Ambiguity)
    tables = [expected for _, expected in AMBIGUOUS.values()]
    tables += [expected for _, _, expected in BOUNDARIES.values()]
    assert set().union(*tables) == set(Ambiguity)
