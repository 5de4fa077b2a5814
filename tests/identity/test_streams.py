"""A stream of events ends with the token of its client."""

import asyncio
import time

import pytest

from gateway.uploads.ids import new_id
from tests.flows.client import PATIENCE
from tests.identity.door import Door
from tests.servers.fixtures import StartGateway
from tests.servers.provider import Provider

pytestmark = pytest.mark.slow

PATH = "/gateway/events"
LIVES = (2, 4, 8, 16)
"""Lives of a token in seconds; the next is tried if a request came too late for the last."""


async def test_a_stream_ends_when_its_token_expires(
    trusting: StartGateway, provider: Provider
) -> None:
    gateway = trusting(auth_leeway="0")
    subject = new_id()  # without uploads in progress, which a stream begins with
    async with Door.of(gateway, provider) as door, asyncio.timeout(PATIENCE):
        for life in LIVES:
            expires = int(time.time()) + life
            client = door.client.as_another(await provider.token(sub=subject, exp=expires))
            answer = await client.request("GET", PATH)  # returns when the stream has ended
            assert time.time() >= expires
            if answer.status == 200:
                break
        assert (answer.status, answer.body) == (200, b"retry: 3000\n\n")
        again = await client.request("GET", PATH)
        assert (again.status, again.json()["type"].rpartition(":")[2]) == (401, "invalid-token")
