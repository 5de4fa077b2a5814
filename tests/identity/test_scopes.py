"""What a token allows: by route, for uploads, for passed requests, and for records."""

from pathlib import Path

from tests.flows.client import Answer
from tests.flows.recorder import Recorder
from tests.identity.door import PATH, Door
from tests.servers.fixtures import StartGateway
from tests.servers.provider import Provider

ROUTES = """
[[routes]]
path = "/v1/channels/*/messages"
scopes = ["chat", "uploads"]

[[routes]]
path = "/v1/imports/**"
scopes = []
"""
USERS, IMPORTS = "/v1/users", "/v1/imports/users"


async def test_each_route_requires_its_scopes(
    trusting: StartGateway, provider: Provider, upstream: Recorder, tmp_path: Path
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(ROUTES)
    gateway = trusting(config=str(config), auth_scopes="uploads")
    async with Door.of(gateway, provider) as door:
        client = door.client.as_another
        chat = client(await provider.token(scope="chat"))
        uploads = client(await provider.token(scope="uploads"))
        both = client(await provider.token(scope="uploads chat"))
        none = client(await provider.token(scope=None))

        for one in (chat, uploads, none):
            upstream.take()
            assert _lacks(await one.upload(PATH, b"x"), "chat uploads")
            assert _lacks(await one.request("GET", PATH), "chat uploads")
            assert _lacks(await one.request("POST", f"{PATH}/?x=y", json={}), "chat uploads")
            assert upstream.take() == []
        unknown = await client("x").request("GET", PATH)
        assert unknown.status == 401
        assert 'error="invalid_token"' in unknown.headers["WWW-Authenticate"]
        assert upstream.take() == []

        assert (await both.upload(PATH, b"x")).status == 200
        assert (await both.request("GET", PATH)).status == 200
        assert (await none.upload(IMPORTS, b"[]")).status == 200

        assert _lacks(await chat.upload(USERS, b"x"), "uploads")
        assert (await uploads.upload(USERS, b"x")).status == 200
        # No route names it: only the upstream decides who may read.
        assert (await client("x").request("GET", USERS)).status == 200

        assert _lacks(await chat.request("GET", "/gateway/uploads"), "uploads")
        assert _lacks(await chat.request("GET", "/gateway/uploads/x"), "uploads")
        assert (await uploads.request("GET", "/gateway/uploads")).status == 200


def _lacks(answer: Answer, scopes: str) -> bool:
    challenge = answer.headers.get("WWW-Authenticate", "")
    named = 'error="insufficient_scope"' in challenge and f'scope="{scopes}"' in challenge
    return answer.status == 403 and named and answer.json()["error"] == "access_denied"
