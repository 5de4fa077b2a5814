import time

import pytest

from gateway.uploads import ids

ID = "01234567-89ab-7def-8123-456789abcdef"


def test_ids_sort_by_time_and_tell_it() -> None:
    made = [ids.new_id() for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert abs(ids.created_at(made[0]) - time.time()) < 60


def test_the_canonical_form_is_an_id() -> None:
    assert ids.parse_id(ID) == ID


@pytest.mark.parametrize("text", ["", "x", "../records", ID.upper(), ID.replace("-", ""), f"{ID}-"])
def test_only_the_canonical_form_is_an_id(text: str) -> None:
    assert ids.parse_id(text) is None
