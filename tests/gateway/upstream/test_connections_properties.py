"""What is left in aiohttp's parser of answers, for any bytes that an upstream may send."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser
from hypothesis import event, example, given
from hypothesis import strategies as st

from gateway.upstream.connections import is_between_answers, plain_answer

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
OPENINGS = [b"HTTP/1.1 200 OK", b"HTTP/1.1 204 x", b"HTTP/1.0 200 ", b"\r\n\r\nHTTP/1.1 200 OK"]
LINES = [
    b"X: y",
    b"Connection: upgrade",
    b"Upgrade: websocket",
    b"Connection: keep-alive",
    b"X: y\r\n folded",
    b"Transfer-Encoding: chunked",
    b"",
]
ENDS = [b"\r\n"] * 9 + [b"\n", b"\r", b"\n\r\n"]
BODIES = [b"", b"{}", b"\r\n\r\n", b"\n\r\n{}", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A head of good and bad lines, and a body that may be of another length than it says."""
    body = b"".join(draw(st.lists(st.sampled_from(BODIES), max_size=3)))
    off = draw(st.sampled_from([0, 0, 0, 4, 21, -4]))
    zeros = b"0" * draw(st.sampled_from([0, 0, 0, 1, 5000]))
    length = b"Content-Length: %b%d" % (zeros, max(0, len(body) + off))
    others = draw(st.lists(st.sampled_from(LINES), max_size=2))
    lines = draw(st.permutations([length, *others]))
    head = [draw(st.sampled_from(OPENINGS)), *lines, b""]
    return b"".join(line + draw(st.sampled_from(ENDS)) for line in head) + body


@given(answers() | st.lists(answers(), min_size=2, max_size=2).map(b"".join))
@example(PLAIN)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\n\r\n\r\n{}")  # its body is a line break
def test_a_plain_answer_is_what_the_parser_reads_and_leaves_nothing_behind(data: bytes) -> None:
    loop = asyncio.new_event_loop()
    try:
        protocol = BaseProtocol(loop)
        heads = HttpResponseParser(protocol, loop, 65_536, response_with_body=False)
        assert plain_answer(heads, PLAIN) is not None
        if (answer := plain_answer(heads, data)) is None:
            return
        event("plain")
        parser = HttpResponseParser(protocol, loop, 65_536, auto_decompress=False)
        ((head, body),), upgraded, _ = parser.feed_data(data)
        assert (repr(head), body.read_nowait()) == (repr(answer[0]), answer[1])
        assert body.is_eof()
        if not head.should_close:
            assert not upgraded
            assert is_between_answers(parser)
            assert plain_answer(heads, PLAIN) is not None
    finally:
        loop.close()


@pytest.mark.parametrize("status", [100, 103, 204, 304])
def test_an_answer_that_may_have_no_body_is_not_plain(status: int) -> None:
    loop = asyncio.new_event_loop()
    try:
        heads = HttpResponseParser(BaseProtocol(loop), loop, 65_536, response_with_body=False)
        data = PLAIN.replace(b"200", b"%d" % status)
        assert plain_answer(heads, data) is None
    finally:
        loop.close()
