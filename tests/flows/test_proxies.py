"""Behind a balancer, the log has the client's address; only trusted proxies can set it."""

import asyncio
import json
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from gateway.settings import load
from tests.flows import files
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

PATH = f"/v1/channels/{CHANNEL}/messages"


async def logged(gateway: Gateway, **member: str) -> dict[str, Any]:
    """The event of the request with the member."""
    async with asyncio.timeout(20):
        while True:
            events = [json.loads(line) for line in gateway.log.read_text().splitlines()]
            for event in events:
                if event["event"] == "request" and member.items() <= event.items():
                    return dict(event)
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("engine", ["fast", "plain"])
@pytest.mark.parametrize(
    ("trusted", "client"), [("10.0.0.0/8,127.0.0.0/8", "198.51.100.7"), ("", "127.0.0.1")]
)
async def test_the_client_of_a_request_is_logged(
    start_gateway: StartGateway, engine: str, trusted: str, client: str
) -> None:
    gateway = start_gateway(engine=engine, delivery="relay", trusted_proxies=trusted)
    forwarded = {"X-Forwarded-For": "192.0.2.66, 198.51.100.7"}
    async with Client.open(gateway.url, TOKENS["alice"]) as alice:
        for _ in range(2):  # the second time its token is known
            answer = await alice.upload(PATH, files.PNG, headers=forwarded)
            assert answer.status == 200
            assert (await logged(gateway, upload_id=answer.upload_id))["client"] == client
        await alice.request("GET", "/gateway/uploads", headers=forwarded)
        assert (await logged(gateway, path="/gateway/uploads"))["client"] == client


def test_a_trusted_proxy_that_is_no_network_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="GATEWAY_TRUSTED_PROXIES"):
        load({**environ, "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8,balancer"})
