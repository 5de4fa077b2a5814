"""What the parsers let pass and `framing_fault` refuses: by either parser the same."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy
from hypothesis import given
from hypothesis import strategies as st

from gateway.server.connection.strict import framing_fault

PARSERS = (HttpRequestParser, HttpRequestParserPy)
DECIDING = {
    "Authorization": "Bearer t",
    "Connection": "close",
    "Content-Encoding": "identity",
    "Content-Length": "0",
    "Content-Type": "multipart/form-data; boundary=b",
    "Expect": "100-continue",
    "Forwarded": "for=192.0.2.1",
    "Grant": "WRITE",
    "Host": "gateway",
    "Idempotency-Key": "k",
    "If-Range": '"e"',
    "Prefer": "respond-async",
    "Range": "bytes=0-1",
    "Transfer-Encoding": "chunked",
    "Upgrade": "websocket",
    "X-Forwarded-For": "192.0.2.1",
}
TARGETS = (
    # llhttp takes several blanks around a target for one.
    st.binary(max_size=20)
    .map(lambda rest: rest.strip(b" "))
    .filter(lambda rest: not rest.startswith(b"/"))
)
OTHERS = ("Accept", "Cookie", "Referer", "User-Agent", "X-Any", "X_Any", "Content_Type")


def fault_of(head: bytes, parser: Callable[..., Any]) -> str | None:
    """Why a head is refused, by the parser or behind it."""
    loop = asyncio.new_event_loop()
    try:
        messages, _, _ = parser(BaseProtocol(loop), loop, 65_536).feed_data(head)
    except HttpProcessingError as error:
        return str(error) or "unreadable"
    finally:
        loop.close()
    [(message, _)] = messages
    fault = framing_fault(message)
    return None if fault is None else str(fault)


def head(target: bytes = b"/v1", method: bytes = b"GET", **headers: bytes) -> bytes:
    fields = {"Host": b"gateway"} | {name.replace("__", "-"): v for name, v in headers.items()}
    lines = [b"%b: %b\r\n" % (name.encode(), value) for name, value in fields.items()]
    return b"%b %b HTTP/1.1\r\n" % (method, target) + b"".join(lines) + b"\r\n"


def with_header(name: str, value: bytes) -> bytes:
    return head(**{name.replace("-", "__"): value})


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("name", "value"), DECIDING.items())
def test_headers_that_decide_something_are_read_as_they_are_meant(
    name: str, value: str, parser: Callable[..., Any]
) -> None:
    assert fault_of(with_header(name, value.encode()), parser) is None


@pytest.mark.parametrize("parser", PARSERS)
@given(
    name=st.sampled_from(sorted(DECIDING)),
    byte=st.sampled_from([each for each in range(256) if not 0x20 <= each < 0x7F and each != 9]),
    data=st.data(),
)
def test_a_deciding_header_has_no_byte_that_is_not_printable_ascii(
    name: str, byte: int, data: st.DataObject, parser: Callable[..., Any]
) -> None:
    value = DECIDING[name].encode()
    at = data.draw(st.integers(0, len(value)))
    lower = data.draw(st.sampled_from([name, name.lower(), name.upper()]))
    assert fault_of(with_header(lower, value[:at] + bytes([byte]) + value[at:]), parser)


@pytest.mark.parametrize("parser", PARSERS)
@given(
    name=st.sampled_from(OTHERS),
    value=st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n")),
)
def test_any_other_may_have_any_byte_but_a_control(
    name: str, value: bytes, parser: Callable[..., Any]
) -> None:
    controls = set(value) & {*range(0x20), 0x7F} - {9}
    assert (fault_of(with_header(name, value), parser) is not None) is bool(controls)


@pytest.mark.parametrize("parser", PARSERS)
@given(rest=TARGETS)
def test_a_target_is_a_path_of_printable_ascii(rest: bytes, parser: Callable[..., Any]) -> None:
    fine = all(0x21 <= byte < 0x7F for byte in rest) and b"#" not in rest
    if fine:
        assert fault_of(head(b"/" + rest), parser) is None
    elif b"#" not in rest:
        assert fault_of(head(b"/" + rest), parser)
    assert fault_of(head(rest or b"*"), parser)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("method", [b"OPTIONS", b"GET", b"POST", b"HEAD", b"DELETE"])
@pytest.mark.parametrize("target", [b"*", b"http://gateway/v1", b"gateway:80", b"v1", b"?x"])
def test_no_other_form_of_a_target_is_accepted(
    method: bytes, target: bytes, parser: Callable[..., Any]
) -> None:
    assert fault_of(head(target, method), parser)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("length", [b"0", b"0042", b"%d" % (2**63 - 1)])
def test_a_length_that_servers_can_count_is_accepted(
    length: bytes, parser: Callable[..., Any]
) -> None:
    assert fault_of(with_header("Content-Length", length), parser) is None


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("length", [2**63, 2**64 - 2, 2**64 - 1, 2**64, 10**30])
def test_a_length_that_they_cannot_is_refused(length: int, parser: Callable[..., Any]) -> None:
    assert fault_of(with_header("Content-Length", b"%d" % length), parser)


@pytest.mark.parametrize("digits", [20, 4300, 5000, 8000])
def test_a_length_of_any_number_of_zeros_is_refused(digits: int) -> None:
    assert fault_of(with_header("Content-Length", b"%0*d" % (digits, 2)), HttpRequestParser)


def test_no_other_parser_is_served_by() -> None:
    script = (
        "import sys; sys.modules['aiohttp._http_parser'] = None\n"
        "from gateway.server.run import serve; serve(None)"
    )
    started = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert b"ConfigurationError: aiohttp has no compiled HTTP parser here" in started.stderr
