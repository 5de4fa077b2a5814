"""Where the frames of a WebSocket end, and the frames that close it. Pure. RFC 6455 section 5.2."""

import os
from typing import Final

_OPCODE: Final = 0x0F
_CLOSE: Final = 0x08
_CONTROL: Final = 0x08
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_IN_TWO_BYTES: Final = 126
_IN_EIGHT_BYTES: Final = 127
_MASK_SIZE: Final = 4
_LARGEST: Final = 2**63 - 1
_GOING_AWAY: Final = (1001).to_bytes(2, "big")


class Boundaries:
    """Follows the bytes of one direction from frame to frame; holds no more than a frame's head."""

    __slots__ = ("_head", "_left", "over")

    def __init__(self) -> None:
        self._head = b""
        """The beginning of a frame's head that is not complete."""
        self._left = 0
        """Bytes still to come of a frame, after its head."""
        self.over = False
        """Whether nothing may be added any more: after a closing frame, or an invalid one."""

    @property
    def at_boundary(self) -> bool:
        """Whether a frame may be added here."""
        return not (self.over or self._left or self._head)

    def feed(self, data: bytes) -> None:
        """Follow the next bytes."""
        self._follow(data, stops=False)

    def feed_to_boundary(self, data: bytes) -> int:
        """Follow the next bytes, at most to the end of a frame; returns how many that were."""
        return self._follow(data, stops=True)

    def _follow(self, data: bytes, *, stops: bool) -> int:
        at, size = 0, len(data)
        while at < size and not self.over:
            if self._left:
                taken = min(self._left, size - at)
                self._left -= taken
                at += taken
            else:
                known = len(self._head)
                self._head += data[at : at + _needed(self._head) - known]
                at += len(self._head) - known
                if len(self._head) == _needed(self._head):
                    self._begin(self._head)
            if stops and self.at_boundary:
                return at
        return size

    def _begin(self, head: bytes) -> None:
        """A frame's head is complete."""
        self._head = b""
        size = _size_of(head)
        control = head[0] & _CONTROL
        self._left = size + (_MASK_SIZE if head[1] & _MASKED else 0)
        closes = head[0] & _OPCODE == _CLOSE
        self.over = closes or size > _LARGEST or bool(control and size >= _IN_TWO_BYTES)


def close_frame(*, masked: bool) -> bytes:
    """The frame that closes a WebSocket because its server goes away; a client's is `masked`."""
    if not masked:
        return bytes([_FINAL | _CLOSE, len(_GOING_AWAY)]) + _GOING_AWAY
    mask = os.urandom(_MASK_SIZE)
    payload = bytes(byte ^ key for byte, key in zip(_GOING_AWAY, mask, strict=False))
    return bytes([_FINAL | _CLOSE, _MASKED | len(_GOING_AWAY)]) + mask + payload


def _needed(head: bytes) -> int:
    """How long a frame's head is without its mask, as far as its beginning says."""
    if len(head) < 2:
        return 2
    length = head[1] & _LENGTH
    if length < _IN_TWO_BYTES:
        return 2
    return 4 if length == _IN_TWO_BYTES else 10


def _size_of(head: bytes) -> int:
    length = head[1] & _LENGTH
    return length if length < _IN_TWO_BYTES else int.from_bytes(head[2:], "big")
