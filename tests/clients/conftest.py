"""The real clients, installed once, and whom they talk to."""

from pathlib import Path

import aiohttp
import pytest

from tests.clients.drivers import Account
from tests.clients.install import install_python
from tests.servers.sandbox import CHANNEL, Sandbox


@pytest.fixture(scope="session")
def python_sdk() -> Path:
    """A Python with ChatKitty's SDK."""
    return install_python()


@pytest.fixture(params=["relay", "plain_relay", "external"])
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def account(request: pytest.FixtureRequest, delivery: str, sandbox: Sandbox) -> Account:
    """A client of the gateway of that delivery, with a token that ChatKitty gave it."""
    return Account(
        base_url=request.getfixturevalue(f"{delivery}_gateway").url,
        token_url=f"{sandbox.url}/oauth/token",
        client_id="app",
        client_secret="secret",
        access_token=await _token(sandbox),
        channel=CHANNEL,
        user=1,
    )


async def _token(sandbox: Sandbox) -> str:
    headers = {"Authorization": aiohttp.encode_basic_auth("app", "secret")}
    form = {"grant_type": "client_credentials"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{sandbox.url}/oauth/token", data=form) as answer,
    ):
        given = await answer.json()
    return str(given["access_token"])
