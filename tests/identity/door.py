"""A client that tries tokens, and the answers that it waits for."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.flows.client import PATIENCE, Answer, Client
from tests.servers.gateway import Gateway
from tests.servers.provider import KEY, Provider

PATH = "/v1/channels/702/messages"


@dataclass(frozen=True)
class Door:
    """A gateway, and the issuer of the tokens that it accepts."""

    client: Client
    provider: Provider
    serial: "itertools.count[int]"

    @classmethod
    @asynccontextmanager
    async def of(cls, gateway: Gateway, provider: Provider) -> "AsyncIterator[Door]":
        async with Client.open(gateway.url, "") as client:
            yield cls(client, provider, itertools.count())

    async def knock(self, token: str) -> Answer:
        """A small upload with the token."""
        return await self.client.as_another(token).upload(PATH, b"x")

    async def knock_anew(self, by: str = KEY, **header: str) -> int:
        """The status for a token that was never seen before."""
        return (await self.knock(await self.new_token(by, **header))).status

    async def new_token(self, by: str = KEY, **header: str) -> str:
        """A token that was never seen before, signed by that key, whatever its header says."""
        return await self.provider.token(by, header, jti=str(next(self.serial)))


async def eventually(attempt: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Try until the status is the expected one."""
    async with asyncio.timeout(PATIENCE):
        while await attempt() != wanted:
            await asyncio.sleep(0.05)


def told_to_return(answer: Answer) -> bool:
    """Whether the answer says that the token cannot be verified now, and when to try again."""
    slug = answer.json()["type"].rpartition(":")[2]
    return (
        answer.status == 503
        and slug == "verifier-unavailable"
        and int(answer.headers["Retry-After"]) >= 1
    )
