"""Frames of WebSockets, and those by which a tunnel is closed."""

import pytest

from gateway.delivery.tunnel.frames import Boundaries, close_frame

MASK = b"\x11\x22\x33\x44"


def frame(opcode: int, payload: bytes, *, masked: bool) -> bytes:
    """A frame, as RFC 6455 section 5.2 has it."""
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 65_536:
        length = bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([bit | 127]) + size.to_bytes(8, "big")
    return bytes([0x80 | opcode]) + length + (MASK if masked else b"") + payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("masked", [True, False])
def test_a_frame_of_any_length_has_an_end(size: int, *, masked: bool) -> None:
    whole = frame(2, bytes(size), masked=masked)
    boundaries = Boundaries()
    found = [boundaries.at_boundary]
    boundaries.feed(whole[:-1])
    found.append(boundaries.at_boundary)
    assert boundaries.feed_to_boundary(whole[-1:] + b"\x82\x00") == 1
    found.append(boundaries.at_boundary)
    assert found == [True, False, True]


@pytest.mark.parametrize(
    "last",
    [
        frame(8, b"\x03\xe8", masked=True),
        b"\x89\x7e\x00\x7e",  # a ping that is too long
        b"\x82\x7f\xff" + bytes(7),  # a length that no frame has
    ],
)
def test_nothing_is_added_behind_a_close_or_what_is_no_frame(last: bytes) -> None:
    boundaries = Boundaries()
    assert boundaries.feed_to_boundary(last + b"rest") == len(last + b"rest")
    assert boundaries.over
    assert not boundaries.at_boundary


def test_the_frames_that_close() -> None:
    assert close_frame(masked=False) == b"\x88\x02\x03\xe9"
    masked = close_frame(masked=True)
    assert masked[:2] == b"\x88\x82"
    mask, payload = masked[2:6], masked[6:]
    assert bytes(a ^ b for a, b in zip(payload, mask, strict=False)) == b"\x03\xe9"
    for each in (masked, close_frame(masked=False)):
        boundaries = Boundaries()
        boundaries.feed(each)
        assert boundaries.over
