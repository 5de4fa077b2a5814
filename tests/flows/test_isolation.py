"""Two subjects with many requests at once: neither ever sees the other's uploads."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.flows import files
from tests.flows.client import Answer, Client
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

MESSAGES = f"/v1/channels/{CHANNEL}/messages"
ROUNDS = 40
AT_ONCE = 8
SUBJECTS = tuple(TOKENS)


@dataclass
class Storm:
    """What each subject did, at several gateways of one fleet."""

    gateways: tuple[Gateway, ...]
    client: Client
    chance: random.Random
    uploads: dict[str, list[str]] = field(default_factory=lambda: {s: [] for s in SUBJECTS})
    seen: Counter[str] = field(default_factory=Counter)

    async def blow(self, subject: str) -> None:
        """One subject's requests, one after the other, at the same time as all of the others'."""
        other = next(one for one in SUBJECTS if one != subject)
        for _ in range(ROUNDS // AT_ONCE):
            act = self.chance.choice([self.upload, self.repeat, self.spy, self.list, self.read])
            await self.upload(subject, other)
            await act(subject, other)

    def at(self, subject: str) -> Client:
        gateway = self.chance.choice(self.gateways)
        return Client(self.client.session, gateway.url, TOKENS[subject])

    async def upload(self, subject: str, _: str) -> Answer:
        return await self._send(subject, {})

    async def repeat(self, subject: str, other: str) -> None:
        """Both use the same idempotency key: each gets the answer of its own first request."""
        key = {"Idempotency-Key": f"storm-{self.chance.randrange(4)}"}
        await asyncio.gather(self._send(subject, key), self._send(other, key))

    async def spy(self, subject: str, other: str) -> None:
        for upload_id in self.uploads[other][-3:]:
            answer = await self.at(subject).request("GET", f"/gateway/uploads/{upload_id}")
            assert answer.status == 404, answer.body
            unknown = await self.at(subject).request("GET", "/gateway/uploads/no-such-id")
            assert _apart_from_ids(answer) == _apart_from_ids(unknown)
            self.seen["spied"] += 1

    async def list(self, subject: str, other: str) -> None:
        answer = await self.at(subject).request("GET", "/gateway/uploads?size=100")
        assert answer.status == 200, answer.body
        ids = [upload["id"] for upload in answer.json()["uploads"]]
        assert ids
        assert not set(ids) & set(self.uploads[other])
        self.seen["listed"] += 1

    async def read(self, subject: str, _: str) -> None:
        for upload_id in self.uploads[subject][-2:]:
            resource = await self.at(subject).resource(upload_id)
            assert _names(resource) == {f"{subject}.png"}
            self.seen["read"] += 1

    async def _send(self, subject: str, headers: dict[str, str]) -> Answer:
        answer = await self.at(subject).upload(
            MESSAGES, files.PNG, name=f"{subject}.png", content_type="image/png", headers=headers
        )
        assert answer.status in (200, 201), answer.body
        assert answer.json()["file"]["name"] == f"{subject}.png"
        self.uploads[subject].append(answer.upload_id)
        self.seen["uploaded"] += 1
        return answer


def _names(resource: Any) -> set[str]:
    return (
        {resource["file"]["name"]}
        if resource.get("file")
        else {f["name"] for f in resource["files"]}
    )


def _apart_from_ids(answer: Answer) -> dict[str, Any]:
    return {n: v for n, v in answer.json().items() if n not in ("request_id", "timestamp")}


@pytest.mark.slow
@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("delivery", ["relay", "external"])
async def test_two_subjects_never_see_each_others_uploads(
    start_gateway: StartGateway, delivery: str
) -> None:
    gateways = (start_gateway(delivery=delivery), start_gateway(delivery=delivery, engine="plain"))
    seed = random.randrange(2**32)  # shown with the failure
    async with Client.open(gateways[0].url, TOKENS["alice"]) as client:
        storm = Storm(gateways, client, random.Random(seed))
        await asyncio.gather(*(storm.blow(subject) for subject in SUBJECTS * AT_ONCE))
    assert not set(storm.uploads["alice"]) & set(storm.uploads["bob"])
    assert all(storm.seen[act] for act in ("uploaded", "spied", "listed", "read"))
