"""What is said of a head that the parser refuses: true, in a few sentences, without its values."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.server.connection.diagnosis import LONGEST_LINE, MOST_HEADERS, UNKNOWN, fault_of_head

SECRET = b"s3cr3t-t0k3n"
GOOD = (
    b"POST /v1/channels/702/messages HTTP/1.1",
    b"Host: gateway",
    b"Authorization: Bearer " + SECRET,
    b"Content-Type: multipart/form-data; boundary=b",
    b"Content-Length: 12",
)
LENGTH = "Content-Length was sent together with Transfer-Encoding: send one of them"
BREAK = "a line of the head has a bare carriage return or line feed: end lines with CR LF"
OPENING = "the request line is not a method, a path and HTTP/1.1, separated by single spaces"
NAME = "the name of a header has a space or another forbidden character"
ADDED = {
    b"Content-Type: application/x-www-form-urlencoded": "Content-Type was sent twice: send it once",
    b"content-type: a/b\r\nCONTENT-TYPE: a/c": "Content-Type was sent 3 times: send it once",
    b"Content-Length: 12": "Content-Length was sent twice: send it once",
    b"Host: other": "Host was sent twice: send it once",
    b"User-Agent: a\r\nUser-Agent: b": "User-Agent was sent twice: send it once",
    b"Transfer-Encoding: chunked": LENGTH,
    b"Transfer-Encoding: gzip": LENGTH,
    b" continued": "a header continues on another line: put each header on one line",
    b"no colon": "a line among the headers has no colon",
    b"X Y: a": NAME,
    b"X : a": NAME,
    b": a": NAME,
    "Xé: a".encode(): NAME,
    b"X: a\rb": BREAK,
    b"X: a\nb": BREAK,
    b"X: a\0b": "the value of a header has a control character",
    b"Cookie: a\x01b": "the value of Cookie has a control character",
    b"X: " + b"a" * 8191: f"a header is longer than {LONGEST_LINE} bytes",
    b"Cookie: " + b"a" * 8191: f"Cookie is longer than {LONGEST_LINE} bytes",
    b"\r\n".join(b"X-%d: a" % at for at in range(129)): "there are more than 128 headers",
}
OPENINGS = {
    b"POST /" + b"a" * 8190 + b" HTTP/1.1": "the request line is longer than 8190 bytes",
    b"POST\t/v1 HTTP/1.1": OPENING,
    b"POST /v1 x HTTP/1.1": OPENING,
    b"POST /v1 http/1.1": OPENING,
    b"POST /v1 HTTP/1.10": OPENING,
    b"POST /\xff HTTP/1.1": "the request target must be a path of printable ASCII characters",
    b"FETCH /v1 HTTP/1.1": "the method is unknown",
    b"post /v1 HTTP/1.1": "the method is unknown",
    b"\x16\x03\x01\x00\xc8": "the client speaks TLS to a port that speaks plain HTTP",
}
INSTEAD = {
    b"Content-Length: -1": "Content-Length is not a number of bytes",
    b"Content-Length: 1, 1": "Content-Length is not a number of bytes",
    b"Transfer-Encoding: chunked, identity": "the Transfer-Encoding must be chunked",
}
SAID = {*ADDED.values(), *OPENINGS.values(), *INSTEAD.values()}


def refused(head: bytes) -> bool:
    loop = asyncio.new_event_loop()
    try:
        HttpRequestParser(BaseProtocol(loop), loop, 65_536).feed_data(head)
    except HttpProcessingError:
        return True
    finally:
        loop.close()
    return False


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


@pytest.mark.parametrize(("line", "said"), ADDED.items(), ids=range(len(ADDED)))
@pytest.mark.parametrize("last", [True, False])
def test_a_header_too_many_is_named_for_what_it_is(line: bytes, said: str, last: bool) -> None:
    lines = (*GOOD, line) if last else (*GOOD[:3], line, *GOOD[3:])
    assert refused(head(*lines))
    assert fault_of_head(head(*lines)) == said


@pytest.mark.parametrize(("line", "said"), INSTEAD.items())
def test_a_body_without_an_end_is_named_for_what_it_is(line: bytes, said: str) -> None:
    assert refused(head(*GOOD[:-1], line))
    assert fault_of_head(head(*GOOD[:-1], line)) == said


@pytest.mark.parametrize(("line", "said"), OPENINGS.items(), ids=range(len(OPENINGS)))
def test_a_request_line_is_named_for_what_it_is(line: bytes, said: str) -> None:
    assert refused(head(line, *GOOD[1:]))
    assert fault_of_head(head(line, *GOOD[1:])) == said


def test_a_head_without_host_is_named_for_that() -> None:
    assert refused(head(GOOD[0], *GOOD[2:]))
    assert fault_of_head(head(GOOD[0], *GOOD[2:])) == "the Host header is missing"


def test_the_limits_are_those_of_the_parser() -> None:
    fields = [b"X-%d: a" % at for at in range(MOST_HEADERS - 1)]
    assert not refused(head(GOOD[0], GOOD[1], *fields))
    assert not refused(head(*GOOD, b"X: " + b"a" * LONGEST_LINE))
    assert fault_of_head(head(GOOD[0], GOOD[1], *fields)) == UNKNOWN
    assert fault_of_head(head(*GOOD, b"X: " + b"a" * LONGEST_LINE)) == UNKNOWN


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # a third is refused
@given(data=st.data())
def test_an_explanation_is_one_of_a_few_sentences(data: st.DataObject) -> None:
    """Whatever is broken in it, and however much of it has come."""
    whole = head(*GOOD)
    at = data.draw(st.integers(0, len(whole)))
    gone = data.draw(st.integers(0, 5))
    strange = data.draw(st.binary(max_size=5))
    broken = (whole[:at] + strange + whole[at + gone :])[: data.draw(st.integers(1, 300))]
    assume(refused(broken))
    said = fault_of_head(broken)
    assert said in SAID | {
        UNKNOWN,
        "the Host header is missing",
        "the version of HTTP is neither 1.0 nor 1.1",
    } or any(
        said.startswith(f"the value of {name}")
        for name in ("Host", "Authorization", "Content-Type", "Content-Length")
    )


@given(cut=st.integers(1, len(head(*GOOD))), line=st.sampled_from(sorted(ADDED)))
def test_an_incomplete_head_is_not_blamed_for_what_is_missing(cut: int, line: bytes) -> None:
    assert fault_of_head(head(*GOOD)[:cut]) in {UNKNOWN, "the method is unknown"}
    with_fault = head(*GOOD, line)
    part = with_fault[: len(head(*GOOD)) - 2 + cut]
    assert fault_of_head(part) in SAID | {UNKNOWN}
