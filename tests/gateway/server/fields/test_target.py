"""The one reading of a request target."""

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import MalformedTarget, RouteNotFound
from gateway.server.fields.target import logged_path, read_target, upstream_path
from gateway.upstream.paths import matched
from tests.gateway.server.fields.spellings import handlers, spellings

PLAIN = "https://api.chatkitty.com/"
BELOW = "https://proxy.example/chat/"
TOKEN = "AAAAtoken-of-a-file"


@pytest.mark.parametrize(
    "target",
    [
        "/v1/channels/1/messages",
        "/v1/channels/1/messages?size=2&x=%2F..%2F;a=b//%zz\\",
        "/v1/channels/1/messages/",
        "/v1/users/1/secrets/a%20b",
        "/v1/users/1/secrets/50%25",
        "/v1/users/1/secrets/is%20it%3F",
        "/v1/picture/jane@chatkitty.com",
        "/v1/picture/jane%40chatkitty.com",
        "/v1/picture/Sammy%20Davis%20Jr.",
        "/v1/picture/J%C3%BCrgen%2BAnna%3A~x",
        "/v1/picture/!$&'()*+,=:@-._~",
        '/v1/picture/{x}|^`"<>[]',
        "/v1/x..y/.hidden/...",
        "/gatewayish",
        "/",
        "/?x",
    ],
)
def test_headers_of_honest_clients_are_passed_on_unchanged(target: str) -> None:
    assert read_target(target) == target
    assert upstream_path(target, PLAIN) == target


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/v1/channels/%37/message%73", "/v1/channels/7/messages"),
        ("/v1/picture/%7Ejane%2dx?q=%7e", "/v1/picture/~jane-x?q=%7e"),
        ("/v1/picture/J%c3%bcrgen%3a", "/v1/picture/J%C3%BCrgen%3A"),
        ("/%67ateway/files/x/y", "/gateway/files/x/y"),
    ],
)
def test_needless_escapes_are_undone_before_all_else(written: str, read: str) -> None:
    assert read_target(written) == read
    assert read_target(f"{written.partition('?')[0]}?") == read.partition("?")[0]
    with pytest.raises(MalformedTarget):
        upstream_path(f"{written}%37", PLAIN)


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("https://evil.example/v1/x", "does not begin with a slash"),
        ("*", "does not begin with a slash"),
        ("", "does not begin with a slash"),
        ("/v1/x y", "has a space"),
        ("/v1/\x00", "control"),
        ("/v1/\x7f", "control"),
        ("/v1/é", "outside ASCII"),
        ("/v1/\udcff", "outside ASCII"),
        ("/v1/x?\udcff", "outside ASCII"),
        ("/v1/x#y", "fragment"),
        ("/v1\\..\\x", "backslash"),
        ("/v1/%", "not part of an escape"),
        ("/v1/%4", "not part of an escape"),
        ("/v1/%u0041", "not part of an escape"),
        ("/v1/x%00", "control"),
        ("/v1/x%0d%0ay", "control"),
        ("/v1/x%7f", "control"),
        ("//evil.example/x", "empty segment"),
        ("/v1//x", "empty segment"),
        ("/v1/x//", "empty segment"),
        ("/v1/../gateway/uploads", "dot segment"),
        ("/v1/%2e%2E/gateway/uploads", "dot segment"),
        ("/v1/.%2e", "dot segment"),
        ("/v1/./x", "dot segment"),
        ("/v1/x/..;/y", "dot segment"),
        ("/v1/.;a=b/y", "dot segment"),
        ("/v1/a%2fb", "encoded slash"),
        ("/v1/a%5Cb", "encoded backslash"),
        ("/v1;x=y/users", "semicolon"),
        ("/v1/a%3bb", "semicolon"),
        ("/v1/%2537", "encoded twice"),
        ("/v1/x/messages%20", "ends with a space"),
        ("/v1/%20x/messages", "ends with a space"),
        ("/v1/%e9", "not valid UTF-8"),
        ("/v1/%c0%af", "not valid UTF-8"),
        ("/v1/%ed%a0%80", "not valid UTF-8"),
    ],
)
def test_what_servers_read_in_different_ways_is_refused(target: str, fault: str) -> None:
    with pytest.raises(MalformedTarget, match=fault):
        read_target(target)
    with pytest.raises(MalformedTarget, match=fault):
        upstream_path(target, PLAIN)


def test_any_name_of_a_hosted_file_can_be_asked_for() -> None:
    target = f"/gateway/files/{TOKEN}/50%2525%3B%20a%5Cb.png?grant=x"
    assert read_target(target) == target
    with pytest.raises(MalformedTarget):
        read_target(f"/gateway/files/{TOKEN}/../../v1/users")


@pytest.mark.parametrize(
    "path",
    ["/gateway", "/gateway/", "/gateway/nothing", "/gateway/uploads/x/y", "/Gateway/files/x/y"],
)
def test_the_gateways_own_paths_never_reach_the_upstream(path: str) -> None:
    with pytest.raises(RouteNotFound):
        upstream_path(path, PLAIN)


def test_only_what_is_below_the_upstreams_own_path_reaches_it() -> None:
    assert upstream_path("/chat/v1/users", BELOW) == "/chat/v1/users"
    for path in ("/v1/users", "/chatty/v1/users", "/Chat/v1/users"):
        with pytest.raises(RouteNotFound):
            upstream_path(path, BELOW)


ANY = st.one_of(
    spellings("/v1/channels/7/messages"),
    spellings("/chat/v1/users"),
    spellings(f"/gateway/files/{TOKEN}/a.png"),
    st.text(st.characters(max_codepoint=255), max_size=20).map("/".__add__),
    st.text("/.;%25EeFfcC3aA9?#\\ x", max_size=20).map("/".__add__),
)


@given(ANY)
@example("/v1/channels/7/messages/")
def test_all_servers_find_under_a_target_what_it_is_decided_on(written: str) -> None:
    try:
        target = read_target(written)
    except MalformedTarget:
        return
    assert read_target(target) == target
    path = target.partition("?")[0]
    if not path.startswith("/gateway/files/"):
        assert handlers(target) == {matched(path)}


@given(spellings("/chat/v1/users"))
def test_no_spelling_leads_above_the_upstreams_own_path(written: str) -> None:
    try:
        sent = upstream_path(read_target(written), BELOW)
    except (MalformedTarget, RouteNotFound):
        return
    assert all(handler.startswith("/chat/") or handler == "/chat" for handler in handlers(sent))


@given(spellings(f"/gateway/files/{TOKEN}/a.png"))
def test_no_spelling_of_a_files_path_is_logged_or_sent_to_the_upstream(written: str) -> None:
    if not any(found.startswith("/gateway/files/") for found in handlers(written)):
        return
    assert TOKEN not in unquote(logged_path(written))
    with pytest.raises((MalformedTarget, RouteNotFound)):
        upstream_path(read_target(written), PLAIN)


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        ("/v1/users?x=y", "/v1/users"),
        ("/v1/us%65rs/%40", "/v1/users/%40"),
        (f"/gateway/files/{TOKEN}/a%20b.png?grant=x", "/gateway/files/{token}/{name}"),
        (f"/gateway/files/{TOKEN}", "/gateway/files/{token}/{name}"),
        (f"/GATEWAY/Files/{TOKEN}/", "/gateway/files/{token}/{name}"),
        (f"/chat/gateway/files/{TOKEN}/x", "/chat/gateway/files/{token}/{name}"),
        (f"//gateway/files/{TOKEN}/a", "/…"),
    ],
)
def test_a_path_is_logged_without_what_opens_a_file(target: str, logged: str) -> None:
    assert logged_path(target) == logged
