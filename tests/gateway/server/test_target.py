import pytest

from gateway.errors import MalformedRequest, RouteNotFound
from gateway.server.target import upstream_path

PLAIN = "https://api.chatkitty.com/"
BELOW = "https://proxy.example/chat/"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/channels/1/messages",
        "/v1/channels/1/messages?size=2&x=%2F..%2F",
        "/channels/a%20b",
        "/v1/x..y/.hidden/...",
        "//evil.example/x",
        "/gatewayish",
        "/",
    ],
)
def test_a_plain_path_goes_on_exactly_as_it_was_written(path: str) -> None:
    assert upstream_path(path, PLAIN) == path


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/v1/x",
        "*",
        "/v1/../gateway/uploads",
        "/v1/%2e%2E/gateway/uploads",
        "/v1/.%2e",
        "/v1/./x",
        "/v1\\..\\x",
        "/v1/x#y",
        "/v1/x y",
        "/v1/\x00",
    ],
)
def test_a_target_that_can_be_read_in_two_ways_is_refused(path: str) -> None:
    with pytest.raises(MalformedRequest):
        upstream_path(path, PLAIN)


@pytest.mark.parametrize("path", ["/gateway", "/gateway/nothing", "/gateway/uploads/x/y"])
def test_what_is_the_gateways_own_never_reaches_the_upstream(path: str) -> None:
    with pytest.raises(RouteNotFound):
        upstream_path(path, PLAIN)


def test_only_what_is_below_the_upstreams_own_path_reaches_it() -> None:
    assert upstream_path("/chat/v1/users", BELOW) == "/chat/v1/users"
    for path in ("/v1/users", "/chatty/v1/users"):
        with pytest.raises(RouteNotFound):
            upstream_path(path, BELOW)
