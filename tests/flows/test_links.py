"""Links of ChatKitty's answers lead to the gateway, however an answer reaches its client."""

from typing import Any

import pytest

from tests.flows import files
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox

PATH = f"/v1/channels/{CHANNEL}/messages"


def hrefs(value: Any) -> list[str]:
    """All links of a document."""
    if isinstance(value, list):
        return [link for each in value for link in hrefs(each)]
    if not isinstance(value, dict):
        return []
    own = [value["href"]] if isinstance(value.get("href"), str) else []
    return own + [link for each in value.values() for link in hrefs(each)]


def assert_lead_to(url: str, document: Any) -> None:
    links = hrefs(document)
    assert links
    assert all(link.startswith(f"{url}/v1/") for link in links), links


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_clients_that_follow_links_stay_with_the_gateway(
    start_gateway: StartGateway, sandbox: Sandbox, engine: str
) -> None:
    gateway = start_gateway(engine=engine, delivery="relay", rewrite_links="true")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        for size in (10, 300_000):
            answer = await client.upload(PATH, files.PNG + bytes(size))
            message = answer.json()
            assert message["file"]["url"].startswith(f"{sandbox.url}/files/")
            assert_lead_to(gateway.url, message)
        page = await client.request("GET", f"{PATH}?size=1000", headers={"Accept-Encoding": "gzip"})
        assert_lead_to(gateway.url, page.json())
        own = message["_links"]["self"]["href"].removeprefix(gateway.url)
        assert (await client.request("GET", own)).json()["id"] == message["id"]
        refused = await client.request("GET", "/v1/channels/1")
        assert refused.json()["error"] == "ResourceNotFoundError"


@pytest.mark.usefixtures("everything")
async def test_an_answer_that_was_recorded_leads_to_the_gateway(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(delivery="external", rewrite_links="true")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        key = {"Idempotency-Key": "a-key-of-links"}
        first = await client.upload(PATH, files.PNG, headers=key)
        again = await client.upload(PATH, files.PNG, headers=key)
    for answer in (first, again):
        assert answer.status == 200
        assert_lead_to(gateway.url, answer.json())


async def test_without_the_setting_an_answer_is_chatkittys_own(
    fast_relay: Client, sandbox: Sandbox
) -> None:
    page = await fast_relay.request("GET", "/v1/users")
    assert_lead_to(sandbox.url, page.json())
