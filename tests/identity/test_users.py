"""As which user a token may post with the gateway's credentials, and which picture it may set."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.flows import files
from tests.flows.client import Answer, Client
from tests.flows.raw import FORM_TYPE, exchange, form, head
from tests.servers.gateway import Gateway
from tests.servers.provider import Provider
from tests.servers.sandbox import CHANNEL, THREAD, TOKENS, Sandbox

JANE, JOHN = "jane@chatkitty.com", "john@chatkitty.com"
JANES, JOHNS = 1, 2
"""The ids of their users."""

CHANNELS = f"/v1/channels/{CHANNEL}/messages"
PLACES = (CHANNELS, f"/v1/threads/{THREAD}/messages", f"/channels/{CHANNEL}/messages")


@pytest.fixture(scope="module", params=["fast", "plain"])
def gateway(
    request: pytest.FixtureRequest,
    identity_provider: Provider,
    environ: dict[str, str],
    servers_dir: Path,
) -> Iterator[Gateway]:
    own = {
        **identity_provider.settings,
        "auth": "jwt,introspection,upstream",
        "delivery": "external",
        "engine": request.param,
        "auth_username_claim": "chat_user",
        "auth_any_user_scope": "chat:any",
        "grants": "relay",
    }
    changed = {f"GATEWAY_{name.upper()}": value for name, value in own.items()}
    with Gateway.start({**environ, **changed}, servers_dir) as started:
        yield started


@pytest.fixture
async def client(gateway: Gateway, provider: Provider, worker: object) -> AsyncIterator[Client]:
    """Jane, by a JWT."""
    assert worker is not None
    token = await provider.token(chat_user=JANE)
    async with Client.open(gateway.url, token) as opened:
        yield opened


def refused(answer: Answer) -> bool:
    slug = answer.json()["type"].rpartition(":")[2]
    assert "WWW-Authenticate" not in answer.headers
    return (answer.status, slug) == (403, "another-user")


@pytest.mark.parametrize("place", PLACES)
async def test_a_message_is_posted_as_the_user_that_the_token_names(
    client: Client, sandbox: Sandbox, place: str
) -> None:
    for fields in ({}, {"username": JANE}, {"username": json.dumps(JANE), "groupTag": "g"}):
        answer = await client.upload(place, files.PNG, name="a.png", fields=fields)
        assert answer.status == 200, answer.body
        assert answer.json()["type"] == "FILE"
        assert answer.json()["user"]["name"] == JANE
    before = len(await sandbox.messages())
    for fields in ({"username": JOHN}, {"username": json.dumps(JOHN)}, {"username": ""}):
        assert refused(await client.upload(place, files.PNG, fields=fields)), fields
    for fields in ({"userId": "2"}, {"user": "2"}, {"user_name": JOHN}, {"userName": JOHN}):
        assert (await client.upload(place, files.PNG, fields=fields)).status == 400, fields
    assert len(await sandbox.messages()) == before


@pytest.mark.parametrize("where", ["before the file", "behind the file"])
async def test_the_username_counts_wherever_it_is_in_the_form(
    gateway: Gateway, client: Client, sandbox: Sandbox, where: str
) -> None:
    body = form(b"x")
    part = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n' + JOHN.encode()
    body = part + b"\r\n" + body if where == "before the file" else body[:-6] + b"\r\n" + part
    body = body if where == "before the file" else body + b"\r\n--b--\r\n"
    before = len(await sandbox.messages())
    headers = (f"Authorization: Bearer {client.token}", FORM_TYPE, f"Content-Length: {len(body)}")
    answer = await exchange(gateway.url, head(CHANNELS, *headers, "Connection: close") + body)
    assert answer.status == 403, answer.data
    assert b"another-user" in answer.data
    assert len(await sandbox.messages()) == before


async def test_token_without_a_user_is_refused_before_the_body(
    gateway: Gateway, client: Client, provider: Provider
) -> None:
    for claim in (None, "", 7, ["x"], {"username": JANE}, "a\nb"):
        token = await provider.token(chat_user=claim)
        assert refused(await client.as_another(token).upload(CHANNELS, b"x")), claim
    waits = ("Content-Length: 100000", "Expect: 100-continue")
    request = head(CHANNELS, f"Authorization: Bearer {token}", FORM_TYPE, *waits)
    assert (await exchange(gateway.url, request, until=b"}")).status == 403


async def test_tokens_with_the_scope_and_chatkittys_own_are_not_bound_to_a_user(
    client: Client, provider: Provider
) -> None:
    scope = "chat uploads chat:any"
    for token in (
        await provider.token(scope=scope),
        await provider.token(scope=scope, chat_user=JANE),
        TOKENS["alice"],
    ):
        free = client.as_another(token)
        posted = await free.upload(CHANNELS, b"x", fields={"username": JOHN})
        assert posted.json()["user"]["name"] == JOHN
        assert (await free.upload(CHANNELS, b"x")).json()["type"] == "SYSTEM_FILE"
        assert (await free.upload(_picture_of(JOHNS), files.PNG)).status == 200


async def test_an_introspected_token_is_bound_to_its_user_as_well(
    client: Client, provider: Provider
) -> None:
    await provider.tell("johns-opaque-token", active=True, sub="j", chat_user=JOHN)
    john = client.as_another("johns-opaque-token")
    assert (await john.upload(CHANNELS, b"x")).json()["user"]["name"] == JOHN
    assert refused(await john.upload(CHANNELS, b"x", fields={"username": JANE}))


async def test_each_user_changes_only_their_own_picture(client: Client, sandbox: Sandbox) -> None:
    for version in ("/v1", ""):
        path = f"{version}/users/{{}}/display-picture"
        assert (await client.upload(path.format(JANES), files.PNG)).status == 200
        assert refused(await client.upload(path.format(JOHNS), files.PNG))
    assert refused(await client.upload(_picture_of(404), files.PNG))
    await sandbox.fault("GET", "/v1/users/1", status=503)
    answer = await client.upload(_picture_of(JANES), files.PNG)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_chatkitty_judges_the_token_of_a_relay(client: Client) -> None:
    answer = await client.upload("/v1/imports/users", b"[]", fields={"username": JOHN})
    assert answer.status == 401
    assert answer.json()["error"] == "invalid_token"


async def test_no_file_is_hosted_with_only_a_grant(gateway: Gateway, sandbox: Sandbox) -> None:
    before = len(await sandbox.messages())
    body = form(b"x")
    sent = head(CHANNELS, "Grant: anything", FORM_TYPE, f"Content-Length: {len(body)}",
                "Connection: close")  # fmt: skip
    answer = await exchange(gateway.url, sent + body)
    assert answer.status == 401
    assert b"grant-refused" in answer.data
    assert len(await sandbox.messages()) == before


def _picture_of(user: int) -> str:
    return f"/v1/users/{user}/display-picture"
