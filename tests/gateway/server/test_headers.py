import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.server.headers import (
    of_relay,
    raw_of_relay,
    raw_to_client,
    request_id,
    to_client,
    to_upstream,
)


def proxy(*items: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(items))


def test_end_to_end_headers_go_on_in_their_order_and_spelling() -> None:
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
     "TE", "Upload-Id", "Server", "ä"]
)  # fmt: skip
VALUES = st.sampled_from(["1", "é", ""])
LISTED = st.sampled_from([[], [("Connection", "close, X-Hop")], [("Connection", "content-length")]])


@given(st.lists(st.tuples(NAMES, VALUES)), LISTED)
def test_headers_as_bytes_go_on_as_those_as_text(
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
def test_a_request_id_is_kept_where_it_is_harmless(received: str | None, kept: bool) -> None:
    assert request_id(received) == (received if kept else None)
