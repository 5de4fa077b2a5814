"""Tokens of other ChatKitty applications: ChatKitty knows them, the gateway refuses them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.doctor.examination import examine
from gateway.settings import load
from gateway.stack.ports import HOST
from tests.flows.client import Client
from tests.flows.raw import FORM_TYPE, exchange, head
from tests.flows.recorder import recording
from tests.identity.door import PATH, eventually, told_to_return
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import STRANGER, STRANGERS_APPLICATION, TOKENS, Sandbox

ENGINES = ("fast", "plain")
OWN, STRANGERS = TOKENS["alice"], STRANGER


@pytest.fixture(scope="module", params=[(e, d) for e in ENGINES for d in ("relay", "external")])
def gateway(
    request: pytest.FixtureRequest, environ: dict[str, str], servers_dir: Path
) -> Iterator[Gateway]:
    """A gateway with its own client credentials that asks ChatKitty about every token."""
    engine, delivery = request.param
    own = {"GATEWAY_AUTH": "upstream", "GATEWAY_ENGINE": engine, "GATEWAY_DELIVERY": delivery}
    with Gateway.start({**environ, **own}, servers_dir) as started:
        yield started


@pytest.mark.usefixtures("worker")
async def test_only_the_application_of_the_own_credentials_is_accepted(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    async with Client.open(gateway.url, OWN) as client:
        assert (await client.upload(PATH, b"x")).status == 200
        assert (await client.request("GET", "/gateway/uploads")).status == 200
        await sandbox.forget_requests()
        stranger = client.as_another(STRANGERS)
        for answer in (
            await stranger.upload(PATH, b"x"),
            await stranger.upload(PATH, b"x"),
            await stranger.request("GET", "/gateway/uploads"),
        ):
            assert answer.status == 403
            assert answer.json()["type"].endswith(":foreign-application")
            assert answer.json()["error"] == "access_denied"
            assert "WWW-Authenticate" not in answer.headers
        asked = [(told["method"], told["path"]) for told in await sandbox.requests()]
        assert asked in ([], [("GET", "/v1/application")])  # a refusal is remembered


async def test_a_token_of_another_application_is_refused_before_the_body(gateway: Gateway) -> None:
    waits = ("Content-Length: 100000", "Expect: 100-continue")
    request = head(PATH, f"Authorization: Bearer {STRANGERS}", FORM_TYPE, *waits)
    answer = await exchange(gateway.url, request, until=b"}")
    assert answer.status == 403
    assert b"100 Continue" not in answer.data


@pytest.mark.parametrize("engine", ENGINES)
async def test_only_listed_applications_are_accepted(
    start_gateway: StartGateway, sandbox: Sandbox, engine: str
) -> None:
    gateway = start_gateway(
        auth="upstream",
        engine=engine,
        delivery="relay",
        auth_applications=f"7,{STRANGERS_APPLICATION}",
    )
    async with Client.open(gateway.url, OWN) as client:
        assert (await client.upload(PATH, b"x")).status == 403
        # The gateway accepts it, and ChatKitty decides what it may do.
        await sandbox.forget_requests()
        assert (await client.as_another(STRANGERS).upload(PATH, b"x")).status == 404
        paths = [told["path"] for told in await sandbox.requests()]
        assert paths == ["/v1/application", PATH]


@pytest.mark.usefixtures("sandbox")
async def test_relay_only_gateway_leaves_applications_to_chatkitty(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(
        auth="upstream", delivery="relay", upstream_client_id="", upstream_client_secret=""
    )
    async with Client.open(gateway.url, STRANGERS) as client:
        assert (await client.upload(PATH, b"x")).status == 404


async def test_no_caller_is_admitted_before_the_own_application_is_known(
    start_gateway: StartGateway, sandbox: Sandbox, own_redis_url: str
) -> None:
    gateway = start_gateway(auth="upstream", delivery="relay", redis_url=own_redis_url)
    await sandbox.fault("POST", "/oauth/token", times=1, status=503)
    async with Client.open(gateway.url, OWN) as client:
        assert told_to_return(await client.upload(PATH, b"x"))

        async def upload() -> int:
            return (await client.upload(PATH, b"x")).status

        await eventually(upload, 200)
        assert (await client.as_another(STRANGERS).upload(PATH, b"x")).status == 403


async def test_the_own_application_is_requested_once_per_token(
    start_gateway: StartGateway, own_redis_url: str
) -> None:
    with recording() as upstream:
        gateway = start_gateway(
            auth="upstream",
            delivery="relay",
            auth_cache_seconds="0",
            upstream_url=upstream.url,
            redis_url=own_redis_url,
        )
        async with Client.open(gateway.url, OWN) as client:
            for _ in range(3):
                assert (await client.upload(PATH, b"x")).status == 200
        asked = [request for request in upstream.take() if request.target == "/v1/application"]
    assert len(asked) == 4


@pytest.mark.slow
@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "ChatKitty tokens of application 1: GATEWAY_UPSTREAM_CLIENT_ID belongs to it"),
        ({"AUTH_APPLICATIONS": "9,7"}, "application 7, 9: GATEWAY_AUTH_APPLICATIONS lists them"),
        ({"UPSTREAM_CLIENT_ID": "", "UPSTREAM_CLIENT_SECRET": ""}, "tokens of any application"),
        ({"UPSTREAM_URL": f"http://{HOST}:9"}, "no ChatKitty tokens: "),
    ],
)
async def test_doctor_says_which_tokens_are_accepted_and_why(
    environ: dict[str, str], changes: dict[str, str], words: str
) -> None:
    own = {f"GATEWAY_{name}": value for name, value in changes.items()}
    said: list[str] = []
    await examine(load({**environ, "GATEWAY_AUTH": "upstream", **own}), said.append)
    (line,) = (line for line in said if line.startswith("let in: "))
    assert words in line
