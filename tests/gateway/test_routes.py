from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import example, given

from gateway.choices import Delivery
from gateway.errors import ConfigurationError, MalformedTarget, RouteNotFound
from gateway.routes import RouteTable
from gateway.server.fields.target import read_target, upstream_path
from gateway.settings import load
from tests.gateway.server.fields.spellings import handlers, spellings

KEY = Fernet.generate_key().decode()


def table(tmp_path: Path, toml: str = "", **variables: str) -> RouteTable:
    file = tmp_path / "gateway.toml"
    file.write_text(toml)
    environ = {f"GATEWAY_{name.upper()}": value for name, value in variables.items()}
    environ |= {"GATEWAY_SECRET_KEY": KEY, "GATEWAY_AUTH_APPLICATIONS": "1"}
    return RouteTable(load({"GATEWAY_CONFIG": str(file), **environ}))


def test_the_default_is_to_relay(tmp_path: Path) -> None:
    assert table(tmp_path).match("/v1/channels/7/messages").delivery is Delivery.RELAY


@pytest.mark.parametrize(
    ("path", "delivery"),
    [
        ("/v1/channels/7/messages", Delivery.EXTERNAL),
        ("/channels/7/messages?x=y", Delivery.EXTERNAL),
        ("/v1/threads/7/messages", Delivery.EXTERNAL),
        ("/v1/users/7/display-picture", Delivery.EXTERNAL),
        ("/v1/applications/1/channels/7/messages", Delivery.EXTERNAL),
        ("/v1/imports/users", Delivery.RELAY),
        ("/runtime/channels/7/messages", Delivery.RELAY),
        ("/v1/channels/7/messages/", Delivery.EXTERNAL),
        ("/v1/channels/abc/messages", Delivery.RELAY),
        ("/v1/unknown", Delivery.RELAY),
    ],
)
def test_an_external_default_is_for_the_dual_endpoints(
    tmp_path: Path, path: str, delivery: Delivery
) -> None:
    assert table(tmp_path, delivery="external").match(path).delivery is delivery


def test_the_first_route_that_matches_wins(tmp_path: Path) -> None:
    routes = table(
        tmp_path,
        """
        [[routes]]
        path = "/v1/threads/*/messages"
        delivery = "external"
        max_file_size = "1MiB"
        allowed_types = ["image/*"]
        require_match = true

        [[routes]]
        path = "/v1/**"
        max_file_size = "2MiB"
        """,
    )
    thread = routes.match("/v1/threads/7/messages")
    assert (thread.delivery, thread.max_file_size) == (Delivery.EXTERNAL, 1024**2)
    assert thread.terms.allowed_types == ("image/*",)
    assert thread.terms.require_match
    channel = routes.match("/v1/channels/7/messages")
    assert (channel.delivery, channel.max_file_size) == (Delivery.RELAY, 2 * 1024**2)
    assert routes.match("/channels/7/messages").max_file_size > 1024**3


@pytest.mark.parametrize("path", ["/v1/imports/users", "/**", "/v1/channels/*", "/runtime/x"])
def test_an_external_route_is_refused_if_its_paths_cannot_be_external(
    tmp_path: Path, path: str
) -> None:
    toml = f'[[routes]]\npath = "{path}"\ndelivery = "external"\n'
    with pytest.raises(ConfigurationError, match="possible for channel messages"):
        table(tmp_path, toml)


def test_a_star_is_one_path_element(tmp_path: Path) -> None:
    toml = '[[routes]]\npath = "/v1/*/messages"\nmax_file_size = 5\n'
    routes = table(tmp_path, toml)
    assert routes.match("/v1/x/messages").max_file_size == 5
    assert routes.match("/v1/x/y/messages").max_file_size > 5
    assert routes.match("/v1/x/messages/z").max_file_size > 5


def test_routes_are_relative_to_the_upstreams_path(tmp_path: Path) -> None:
    routes = table(tmp_path, delivery="external", upstream_url="https://proxy.example/chat")
    assert routes.match("/chat/v1/channels/7/messages").delivery is Delivery.EXTERNAL


SCOPED = """
[[routes]]
path = "/v1/channels/*/messages"
scopes = ["chat", "uploads"]

[[routes]]
path = "/v1/users/**"
scopes = []

[[routes]]
path = "/gateway/uploads/*"
scopes = ["look"]
"""


def test_scopes_are_those_of_all_unless_a_route_names_others(tmp_path: Path) -> None:
    routes = table(tmp_path, SCOPED, auth_scopes="uploads")
    assert routes.match("/v1/channels/7/messages").scopes == {"chat", "uploads"}
    assert routes.match("/v1/users/7/display-picture").scopes == set()
    assert routes.match("/v1/imports/users").scopes == {"uploads"}
    assert routes.scopes_of_own("/gateway/uploads") == {"uploads"}
    assert routes.scopes_of_own("/gateway/uploads/some-id") == {"look"}


def test_what_passes_through_needs_the_scopes_that_its_route_names(tmp_path: Path) -> None:
    routes = table(tmp_path, SCOPED, auth_scopes="uploads", upstream_url="https://x.example/api")
    assert routes.scopes_of_passed("/api/v1/channels/7/messages?size=1") == {"chat", "uploads"}
    assert routes.scopes_of_passed("/api/v1/users/7") == set()
    assert routes.scopes_of_passed("/api/v1/threads/7") == set()


HOSTED = """
[[routes]]
path = "/v1/channels/*/messages"
scopes = ["chat", "uploads"]
delivery = "external"
allowed_types = ["image/*"]

[[routes]]
path = "/v1/users/*/secrets/a%20b@c"
scopes = ["secrets"]
"""


@given(spellings("/v1/channels/7/messages"))
@example("/v1/channels/7/messages/?x=y")
@example("/v1/%63hannels/%37/message%73")
def test_no_other_spelling_gets_around_a_route(
    tmp_path_factory: pytest.TempPathFactory, written: str
) -> None:
    routes = table(tmp_path_factory.mktemp("routes"), HOSTED)
    if "/v1/channels/7/messages" not in handlers(written):
        return
    try:
        target = upstream_path(read_target(written), "https://api.chatkitty.com")
    except MalformedTarget:
        return
    route = routes.match(target)
    assert routes.scopes_of_passed(target) == route.scopes == {"chat", "uploads"}
    assert route.delivery is Delivery.EXTERNAL
    assert route.terms.allowed_types == ("image/*",)
    assert route.endpoint is not None
    assert route.endpoint.path == "/v1/channels/7/messages"


@pytest.mark.parametrize("name", ["a%20b@c", "a%20b%40c", "%61%20b%40c/"])
def test_a_route_is_met_by_each_spelling_of_its_name(tmp_path: Path, name: str) -> None:
    path = read_target(f"/v1/users/7/secrets/{name}")
    assert table(tmp_path, HOSTED).scopes_of_passed(path) == {"secrets"}


ONE_CHANNEL = """
[[routes]]
path = "/v1/channels/702/messages"
scopes = ["staff"]

[[routes]]
path = "/v1/threads/0702/messages"
delivery = "external"
"""
SPELLINGS_OF_702 = [
    "702", "0702", "+702", "+000702", "0x2be", "0X2BE", "%232be", "0x0002Be", "7%2002",
    "7%E3%80%8002", "%D9%A7%D9%A0%D9%A2", "%EF%BC%97%EF%BC%90%EF%BC%92", "0" * 5000 + "702",
]  # fmt: skip
"""What Spring's conversion of a path variable to a number takes for 702."""


@pytest.mark.parametrize("spelt", SPELLINGS_OF_702)
def test_a_route_of_one_id_is_met_by_each_spelling_of_it(tmp_path: Path, spelt: str) -> None:
    routes = table(tmp_path, ONE_CHANNEL)
    target = read_target(f"/v1/channels/{spelt}/messages")
    assert routes.scopes_of_passed(target) == routes.match(target).scopes == {"staff"}
    hosted = read_target(f"/v1/threads/{spelt}/messages")
    try:
        assert routes.match(hosted).delivery is Delivery.EXTERNAL
    except RouteNotFound:
        assert spelt not in ("702", "0702")


@pytest.mark.parametrize("name", ["7020", "x702", "702x", "7.02", "7,02", "-702", "%2B", "%23"])
def test_a_route_of_one_id_is_met_by_no_other(tmp_path: Path, name: str) -> None:
    routes = table(tmp_path, ONE_CHANNEL)
    assert not routes.scopes_of_passed(read_target(f"/v1/channels/{name}/messages"))


@pytest.mark.parametrize("spelt", ["+702", "0x2be", "7%2002", "%D9%A7%D9%A0%D9%A2"])
def test_an_external_default_relays_no_other_spelling_of_an_id(tmp_path: Path, spelt: str) -> None:
    with pytest.raises(RouteNotFound, match="contains no id of a channel"):
        table(tmp_path, delivery="external").match(f"/v1/channels/{spelt}/messages")


@pytest.mark.parametrize("channel", ["abc", "7.0", "-7", "9223372036854775808", "%D9%A7", "7,8"])
def test_files_of_a_hosted_route_are_never_relayed(tmp_path: Path, channel: str) -> None:
    with pytest.raises(RouteNotFound, match="contains no id of a channel"):
        table(tmp_path, HOSTED).match(f"/v1/channels/{channel}/messages")
