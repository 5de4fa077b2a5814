"""What is left in aiohttp's parser of answers, for any bytes that an upstream may send."""

import asyncio

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpResponseParser
from hypothesis import event, given
from hypothesis import strategies as st

from gateway.upstream.connections import body_of, is_between_answers

OPENINGS = [b"HTTP/1.1 200 OK", b"HTTP/1.1 204 x", b"HTTP/1.0 200 ", b"\r\n\r\nHTTP/1.1 200 OK"]
LINES = [b"X: y", b"Connection: keep-alive", b"X: y\r\n folded", b"Transfer-Encoding: chunked", b""]
ENDS = [b"\r\n"] * 9 + [b"\n", b"\r", b"\n\r\n"]
BODIES = [b"", b"{}", b"\r\n\r\n", b"\n\r\n{}", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A head of good and bad lines, and a body that may be of another length than it says."""
    body = b"".join(draw(st.lists(st.sampled_from(BODIES), max_size=3)))
    off = draw(st.sampled_from([0, 0, 0, 4, 21, -4]))
    length = b"Content-Length: %d" % max(0, len(body) + off)
    others = draw(st.lists(st.sampled_from(LINES), max_size=2))
    lines = draw(st.permutations([length, *others]))
    head = [draw(st.sampled_from(OPENINGS)), *lines, b""]
    return b"".join(line + draw(st.sampled_from(ENDS)) for line in head) + body


@given(answers() | st.lists(answers(), min_size=2, max_size=2).map(b"".join))
def test_nothing_is_left_of_bytes_that_are_one_answer(data: bytes) -> None:
    loop = asyncio.new_event_loop()
    try:
        parser = HttpResponseParser(BaseProtocol(loop), loop, 65_536, auto_decompress=False)
        try:
            messages, _, _ = parser.feed_data(data)
        except HttpProcessingError:
            return
        if len(messages) != 1 or messages[0][0].code < 200:
            return
        head, body = messages[0]
        whole = body_of(data, head)
        if whole is not None and not head.should_close:
            event("one answer")
            assert body.is_eof()
            assert body.read_nowait() == whole
            assert is_between_answers(parser)
    finally:
        loop.close()
