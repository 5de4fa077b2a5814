"""The end of a chunked body is where the parser that reads it sees it."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import HeadTooLarge
from gateway.server.connection.chunks import Chunks

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LIMIT = 1000

size_lines = st.builds(
    lambda zeros, extension: (zeros, extension),
    st.integers(0, 3),
    st.sampled_from([b"", b";a", b";a=b", b';a="b;\\"c"', b" ", b";a\nb", b"\r"]),
)
chunk = st.builds(
    lambda data, line: b"%b%x%b\r\n%b\r\n" % (b"0" * line[0], len(data), line[1], data),
    st.one_of(
        st.binary(min_size=1, max_size=40), st.sampled_from([b"\r\n\r\n", b"0\r\n\r\n", b"\n"])
    ),
    size_lines,
)
last = st.builds(lambda line: b"0" * (1 + line[0]) + line[1] + b"\r\n", size_lines)
trailer = st.sampled_from([b"X: y\r\n", b"Content-Length: 5\r\n", b": z\r\n", b"X: y\n"])
behind = st.sampled_from([b"", b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"0\r\n\r\n"])
bodies = st.builds(
    lambda chunks, end, trailers: b"".join(chunks) + end + b"".join(trailers) + b"\r\n",
    st.lists(chunk, max_size=4),
    last,
    st.lists(trailer, max_size=2),
)


def end_by_parser(data: bytes) -> int | None:
    """Where the parser sees the body end, by bytes that come one by one; None for no body."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**20, auto_decompress=False)
        ((_, body),) = parser.feed_data(HEAD)[0]
        for at in range(len(data)):
            parser.feed_data(data[at : at + 1])
            if body.is_eof():
                return None if body.exception() is not None else at + 1
    except HttpProcessingError:
        pass
    finally:
        loop.close()
    return None


@given(bodies, behind, st.lists(st.integers(0, 300), max_size=5), st.none() | st.integers(0, 200))
@example(b"5;\nx\r\nabcde\r\n0\r\n\r\n", b"", [], None)
@example(b"f" * 17 + b"\r\n", b"", [], None)
@example(b"\r\n0\r\n\r\n", b"", [], None)
def test_the_end_is_where_the_parser_sees_it_however_the_bytes_are_cut(
    body: bytes, rest: bytes, cuts: list[int], spoilt: int | None
) -> None:
    data = body + rest
    if spoilt is not None and data:
        spoilt %= len(data)
        data = data[:spoilt] + b"\x0b" + data[spoilt + 1 :]
    chunks, found, done = Chunks(LIMIT), None, 0
    for cut in [*sorted({min(cut, len(data)) for cut in cuts}), len(data)]:
        if (end := chunks.end_in(data[done:cut])) is not None:
            found = done + end
            break
        done = cut
    expected = end_by_parser(data)
    assert expected is None or found == expected


@pytest.mark.parametrize("piece", [1, 7, 5000])
def test_trailers_have_a_limit(piece: int) -> None:
    enough = b"0\r\n" + b"X: y\r\n" * 166 + b"\r\n"
    assert _end(enough, piece) == len(enough)
    with pytest.raises(HeadTooLarge):
        _end(b"0\r\n" + b"X: y\r\n" * 167 + b"\r\n", piece)
    with pytest.raises(HeadTooLarge):
        _end(b"0\r\n" + b"X" * (LIMIT + 1), piece)


def test_a_long_extension_or_size_is_no_trailer() -> None:
    body = b"5;" + b"a" * 5000 + b"\r\nabcde\r\n" + b"0" * 5000 + b"\r\n\r\n"
    for piece in (1, 999, 20_000):
        assert _end(body, piece) == len(body)


def _end(data: bytes, piece: int) -> int | None:
    chunks = Chunks(LIMIT)
    for at in range(0, len(data), piece):
        if (end := chunks.end_in(data[at : at + piece])) is not None:
            return at + end
    return None
