"""Structured items: what RFC 9651 calls one is read, and everything else is ignored."""

import pytest

from gateway.resumable.dialects import items
from tests.gateway.resumable.dialects.heads import fields

SIZES = {
    "0": 0,
    "00012": 12,
    "-0": 0,
    "999999999999999": 999_999_999_999_999,
    " 7 ": 7,
    '7;a;b=?1;c="x\\"y;z";d=tok/en;e=:YQ==:;f=1.5;g=@-1;h=%"%c3%bc";  i=*t': 7,
}
FLAGS = {"?1": True, "?0": False, " ?1;x": True}
NEITHER = [
    *("", "-1", "+1", "1.0", "1000000000000000", "1, 2", "0x1", "\u0661", "7 8", "7;", "7 ;a"),
    *("?2", "?", "?10", "1?", "true", "?1, ?0", "?1;A", "?1;a=", '?1;a="', "?1\t", '"?1"'),
]


@pytest.mark.parametrize("value", [*SIZES, *FLAGS, *NEITHER])
def test_an_item_is_read_by_the_grammar(value: str) -> None:
    headers = fields(("X", value))
    assert items.size(headers, "x") == SIZES.get(value)
    assert items.flag(headers, "x") is FLAGS.get(value)


def test_missing_and_repeated_lines_are_not_items() -> None:
    assert items.size(fields(), "X") is None
    assert items.size(fields(("X", "1"), ("X", "1")), "X") is None
    assert items.flag(fields(("X", "?1"), ("X", "?1")), "X") is None


def test_a_boolean_is_written_as_it_is_read() -> None:
    for value in (True, False):
        assert items.flag(fields(("X", items.written(value=value))), "X") is value
