"""Each request about an upload goes to another replica, and no replica needs another's memory."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.flows import files
from tests.flows.client import ENDS, PATIENCE, Answer, Client
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, THREAD, TOKENS, Sandbox
from tests.servers.zygote import ForkedPart

PATH = f"/v1/channels/{CHANNEL}/messages"
RELAYED = f"/v1/threads/{THREAD}/messages"
PUBLIC = "http://files.example"
ROUTES = """
[[routes]]
path = "/v1/threads/*/messages"
delivery = "relay"
"""


class Alternating:
    """Alice; each of her requests reaches another gateway than the one before."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._clients = cycle(clients)

    async def get(self, path: str) -> Answer:
        return await next(self._clients).request("GET", path)

    async def upload(self, path: str, **options: Any) -> Answer:
        return await next(self._clients).upload(path, files.PNG, **options)

    async def end_of(self, upload_id: str) -> Any:
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = await self.get(f"/gateway/uploads/{upload_id}")
                assert answer.status == 200, answer.body
                if answer.json()["state"] in ENDS:
                    return answer.json()
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def replicas(environ: dict[str, str], servers_dir: Path) -> Iterator[list[Gateway]]:
    config = servers_dir / "replicas.toml"
    config.write_text(ROUTES)
    settings = environ | {
        "GATEWAY_CONFIG": str(config),
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_PUBLIC_URL": PUBLIC,
    }
    with ExitStack() as stack:
        yield [stack.enter_context(Gateway.start(settings, servers_dir)) for _ in range(2)]


@pytest.fixture
async def alice(
    replicas: list[Gateway], everything: tuple[ForkedPart, Sandbox]
) -> AsyncIterator[Alternating]:
    assert everything[0].exit_status is None
    async with aiohttp.ClientSession() as session:
        yield Alternating([Client(session, one.url, TOKENS["alice"]) for one in replicas])


async def test_the_requests_of_a_hosted_upload_may_reach_any_gateway(
    alice: Alternating, sandbox: Sandbox
) -> None:
    name, key = f"{uuid4()}.png", f'"{uuid4()}"'
    asynchronous = {"Prefer": "respond-async", "Idempotency-Key": key}
    taken = await alice.upload(PATH, name=name, headers=asynchronous)
    assert taken.status == 202
    assert taken.headers["Location"] == f"/gateway/uploads/{taken.upload_id}"
    resource = await alice.end_of(taken.upload_id)
    assert resource["state"] == "registered"
    for _ in range(2):  # once at each
        repeated = await alice.upload(PATH, name=name, headers={"Idempotency-Key": key})
        assert (repeated.status, repeated.upload_id) == (200, taken.upload_id)
        listed = (await alice.get("/gateway/uploads")).json()["uploads"]
        assert listed[0]["id"] == taken.upload_id
        url = repeated.json()["file"]["url"]
        served = await alice.get(url.removeprefix(PUBLIC))
        assert (served.status, served.body) == (200, files.PNG)
        again = await alice.get(f"/gateway/uploads/{taken.upload_id}")
        assert again.json() == resource
    made = [one for one in await sandbox.messages() if one.get("file", {}).get("name") == name]
    assert len(made) == 1


async def test_waiter_in_another_process_gets_the_answer(
    alice: Alternating, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", PATH, delay=1.0)
    headers = {"Idempotency-Key": f'"{uuid4()}"'}
    name = f"{uuid4()}.png"
    one, other = await asyncio.gather(
        *(alice.upload(PATH, name=name, headers=headers) for _ in range(2))
    )
    assert one.status == other.status == 200
    assert one.body == other.body
    made = [one for one in await sandbox.messages() if one.get("file", {}).get("name") == name]
    assert len(made) == 1


async def test_the_requests_of_a_relayed_upload_may_reach_any_gateway(alice: Alternating) -> None:
    name, key = f"{uuid4()}.png", f'"{uuid4()}"'
    answer = await alice.upload(RELAYED, name=name, headers={"Idempotency-Key": key})
    assert answer.status == 200
    assert (await alice.end_of(answer.upload_id))["state"] == "audited"
    for _ in range(2):
        repeated = await alice.upload(RELAYED, name=name, headers={"Idempotency-Key": key})
        assert (repeated.status, repeated.body) == (200, answer.body)
        assert repeated.upload_id == answer.upload_id
