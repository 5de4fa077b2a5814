import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.server.fields.server_sent import HEARTBEAT, OPENING, event


@given(st.dictionaries(st.text(), st.text() | st.none() | st.integers()))
def test_data_are_one_line_of_json(members: dict[str, object]) -> None:
    lines = event("state", "3", members).decode().splitlines()
    assert lines[:2] == ["id: 3", "event: state"]
    assert lines[2].startswith("data: ")
    assert json.loads(lines[2].removeprefix("data: ")) == members
    assert lines[3:] == [""]


def test_what_is_no_event_ends_with_an_empty_line_as_well() -> None:
    for text in (OPENING, HEARTBEAT):
        assert text.endswith(b"\n\n")
        assert b"data" not in text
