import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.server.headers import request_id, to_client, to_upstream


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
