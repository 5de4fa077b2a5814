import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.server.fields.headers import (
    of_relay,
    raw_of_relay,
    raw_to_client,
    request_id,
    to_client,
    to_upstream,
    unfit,
)


def proxy(*items: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(items))


def test_end_to_end_headers_keep_their_order_and_spelling() -> None:
    items = (
        ("Authorization", "Bearer t"),
        ("Content-Type", "multipart/form-data; boundary=a; boundary=b"),
        ("X-Custom", "1"),
        ("X-Custom", "2"),
        ("Grant", "g"),
    )
    assert tuple(to_upstream(proxy(*items)).items()) == items


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Keep-Alive",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Authorization",
        "Host",
        "Expect",
        "Forwarded",
        "X-Forwarded-For",
        "x_forwarded_for",
        "X-Forwarded-Anything",
        "X-Real-IP",
        "Upload-Id",
        "Upload-Offset",
        "upload_complete",
        "Upload-Draft-Interop-Version",
        "Tus-Resumable",
        "Idempotency-Key",
        "X-Request-Id",
    ],
)
def test_hop_by_hop_and_spoofable_headers_stay_here(name: str) -> None:
    assert not to_upstream(proxy((name, "x")))


def test_what_connection_names_is_hop_by_hop_in_both_directions() -> None:
    headers = proxy(("Connection", "close, X-Hop"), ("X-Hop", "1"), ("X-End", "2"))
    assert dict(to_upstream(headers)) == {"X-End": "2"}
    assert dict(to_client(headers)) == {"X-End": "2"}


def test_connection_cannot_name_what_frames_a_message() -> None:
    headers = proxy(("Connection", "Content-Length"), ("Content-Length", "3"))
    assert dict(to_upstream(headers)) == {"Content-Length": "3"}
    assert dict(to_client(headers)) == {"Content-Length": "3"}


NAMES = st.sampled_from(
    ["X-End", "X_Hop", "x-hop", "Accept-Encoding", "Content-Length", "X_Forwarded_For", "Host",
     "TE", "Upload-Id", "Upload_Id", "Upload-Offset", "Tus_Version", "Content_Type", "Server", "ä"]
)  # fmt: skip
VALUES = st.sampled_from(["1", "é", ""])
LISTED = st.sampled_from([[], [("Connection", "close, X-Hop")], [("Connection", "content-length")]])


@given(st.lists(st.tuples(NAMES, VALUES)), LISTED)
def test_headers_as_bytes_are_filtered_like_those_as_text(
    items: list[tuple[str, str]], listed: list[tuple[str, str]]
) -> None:
    folded = proxy(*items, *listed)
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in folded.items()]
    for kept, expected in (
        (raw_of_relay(raw, folded), of_relay(folded)),
        (raw_to_client(raw, folded), to_client(folded)),
    ):
        texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in kept]
        assert sorted(texts) == sorted(expected.items())


@pytest.mark.parametrize(
    "name",
    [
        "Content_Length", "content_type", "Content_Encoding", "Accept_Encoding", "If_Range",
        "Transfer_Encoding", "Idempotency_Key", "X_Request_Id", "Upload_Id", "Keep_Alive",
    ],
)  # fmt: skip
def test_no_other_spelling_of_a_deciding_header_is_passed_on(name: str) -> None:
    headers, raw = proxy((name, "x")), [(name.encode(), b"x")]
    assert not to_upstream(headers)
    assert raw_of_relay(raw, headers) == [(b"Accept-Encoding", b"identity")]
    if name.lower() != "idempotency_key":
        assert not to_client(headers)
        assert raw_to_client(raw, headers) == []


@pytest.mark.parametrize("name", ["X_Client", "x_api_version", "Sec_Fetch"])
def test_an_underscore_of_their_own_is_anybodys(name: str) -> None:
    assert dict(to_upstream(proxy((name, "x")))) == {name: "x"}
    assert dict(to_client(proxy((name, "x")))) == {name: "x"}


@pytest.mark.parametrize("name", ["Content-Type", "authorization", "Grant", "Range"])
def test_connection_cannot_remove_headers_that_decide(name: str) -> None:
    headers = proxy(("Connection", f"close, {name}"), (name, "x"))
    assert dict(to_upstream(headers)) == {name: "x"}
    assert (name.encode(), b"x") in raw_of_relay([(name.encode(), b"x")], headers)


def test_what_connection_names_stays_here_in_every_spelling() -> None:
    headers = proxy(("Connection", "x_hop"), ("X-Hop", "1"), ("X_Hop", "2"), ("x-end", "3"))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert dict(to_upstream(headers)) == dict(to_client(headers)) == {"x-end": "3"}
    assert raw_to_client(raw, headers) == [(b"x-end", b"3")]


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        (b"Content-Type", b"text/plain", True),
        (b"Content-Type", b"text/\xff", False),
        (b"AUTHORIZATION", "Bearer é".encode(), False),
        (b"Content_Type", b"\xff", True),
        (b"X-Name", b"\xff", True),
    ],
)
def test_what_decides_something_is_ascii(name: bytes, value: bytes, fits: bool) -> None:
    assert unfit([(b"X", b"\xe9"), (name, value)]) == (None if fits else name.decode())


def test_an_answer_keeps_its_own_headers_but_not_our_names() -> None:
    headers = proxy(
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Upload-Id", "spoofed"),
    )
    assert tuple(to_client(headers).items()) == (
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Content-Length", "3"),
    )


@pytest.mark.parametrize(
    ("received", "kept"),
    [
        ("abc-1.2_Z", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("a b", False),
        ("é", False),
        ("a\r\nX: y", False),
        (None, False),
    ],
)
def test_a_harmless_request_id_is_kept(received: str | None, kept: bool) -> None:
    assert request_id(received) == (received if kept else None)
