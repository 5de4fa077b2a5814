"""Stored documents may be broken or of another version: they raise one kind of error, or none."""

import contextlib
from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.choices import Delivery
from gateway.uploads.record import (
    Change,
    State,
    Target,
    Terms,
    Upload,
    from_json,
    pack,
    to_json,
    unpack,
)

RECORD = Upload(
    id="1",
    subject="s",
    request_id="r",
    delivery=Delivery.RELAY,
    target=Target("POST", "/"),
    history=(Change(State.RELAYED, datetime.now(UTC)),),
    files=(),
    terms=Terms(),
)
PIECES = st.sampled_from(
    [b"\xff", b'"\xed\xa0\x80"', b"[" * 3000, b"\x91" * 3000, b"NaN", b"\xa1\xff"]
)


@given(st.integers(0, 400), st.integers(0, 5), PIECES | st.binary(max_size=5))
def test_a_broken_record_raises_one_kind_of_error(at: int, length: int, piece: bytes) -> None:
    for document, read in ((to_json(RECORD), from_json), (pack(RECORD), unpack)):
        broken = document[:at] + piece + document[at + length :]
        with contextlib.suppress(msgspec.DecodeError):
            read(broken)
