"""The frames of the runtime, without a connection."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.sandbox.stomp import Frame, InvalidFrame, frame_of

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.dictionaries(TEXT, TEXT), TEXT)
@example({}, "\r\n")
def test_what_is_encoded_reads_the_same(headers: dict[str, str], body: str) -> None:
    frame = Frame("MESSAGE", headers, body)
    assert frame_of(frame.encoded()) == frame


def test_the_frames_that_the_sdk_sends() -> None:
    connect = "CONNECT\nStompX-User:jane@chatkitty.com\naccept-version:1.2\n\n\0"
    assert frame_of(connect) == Frame(
        "CONNECT", {"StompX-User": "jane@chatkitty.com", "accept-version": "1.2"}
    )
    send = 'SEND\ndestination:/application/x\ncontent-length:9\n\n{"a":"b"}\0'
    assert frame_of(send) == Frame(
        "SEND", {"destination": "/application/x", "content-length": "9"}, '{"a":"b"}'
    )
    assert frame_of("\n") is None
    assert frame_of("SEND\na:1\na:2\n\n\0") == Frame("SEND", {"a": "1"})
    assert frame_of("SEND\r\na:1\r\n\r\n\0\n") == Frame("SEND", {"a": "1"})


@pytest.mark.parametrize(
    "message", ["SEND", "SEND\na:1\n\nbody", "SEND\nno colon\n\n\0", "SEND\na:\\t\n\n\0"]
)
def test_what_is_no_frame_is_refused(message: str) -> None:
    with pytest.raises(InvalidFrame):
        frame_of(message)
