"""A request that is repeated with its `Idempotency-Key` is carried out once, from any replica."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from msgspec.structs import replace

from gateway.errors import ObjectNotFound
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.record import Change, Fault, State, from_json, to_json
from tests.flows import files, raw
from tests.flows.client import PATIENCE, Answer, Client
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"
FORM_TYPE = f"multipart/form-data; boundary={raw.BOUNDARY}"


@pytest.fixture
def key() -> str:
    return f'"{uuid4()}"'


@pytest.fixture
def name() -> str:
    return f"{uuid4()}.png"


@pytest.fixture(params=["external", "fast_relay"])
def either(request: pytest.FixtureRequest) -> Client:
    """Alice, in either delivery."""
    client: Client = request.getfixturevalue(request.param)
    return client


async def upload(client: Client, key: str, name: str, **more: Any) -> Answer:
    path = more.pop("path", CHANNEL_PATH)
    headers = {"Idempotency-Key": key, **more.pop("headers", {})}
    return await client.upload(path, more.pop("data", files.PNG), name=name, headers=headers)


async def made(sandbox: Sandbox, name: str) -> int:
    found = await sandbox.messages()
    return sum(message.get("file", {}).get("name") == name for message in found)


async def test_the_same_key_gets_the_same_answer(
    either: Client, sandbox: Sandbox, key: str, name: str
) -> None:
    first = await upload(either, key, name)
    again = await upload(either, key, name)
    assert first.status == again.status == 200
    assert first.body == again.body
    assert first.upload_id == again.upload_id
    for header in ("Content-Type", "X-Api-Version", "X-Response-Token"):
        assert first.headers[header] == again.headers[header]
    assert await made(sandbox, name) == 1


async def test_many_requests_with_one_key_are_one_upload(
    either: Client, sandbox: Sandbox, key: str, name: str
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, delay=0.5)
    answers = await asyncio.gather(*(upload(either, key, name) for _ in range(6)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.upload_id for answer in answers}) == 1
    assert await made(sandbox, name) == 1


@pytest.mark.usefixtures("worker", "sandbox")
@pytest.mark.parametrize("delivery", ["external", "relay"])
async def test_any_replica_knows_the_key(
    start_gateway: StartGateway, sandbox: Sandbox, key: str, name: str, delivery: str
) -> None:
    bodies = []
    for _ in range(2):
        gateway = start_gateway(delivery=delivery, public_url="http://files.example")
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            answer = await upload(client, key, name)
            assert answer.status == 200
            bodies.append(answer.body)
    assert bodies[0] == bodies[1]
    assert await made(sandbox, name) == 1


async def test_another_subjects_key_is_another_key(
    either: Client, sandbox: Sandbox, key: str, name: str
) -> None:
    await upload(either, key, name)
    await upload(either.as_another(TOKENS["bob"]), key, name)
    assert await made(sandbox, name) == 2


async def test_another_request_with_the_key_is_refused(either: Client, key: str, name: str) -> None:
    await upload(either, key, name)
    elsewhere = await upload(either, key, name, path="/v1/threads/801/messages")
    longer = await upload(either, key, name, data=files.PNG + b"x")
    assert (elsewhere.status, longer.status) == (422, 422)
    assert elsewhere.json()["type"].endswith("idempotency-key-reused")


@pytest.mark.parametrize("bad", ["", "k" * 256])
async def test_invalid_idempotency_key_is_refused_before_the_body(either: Client, bad: str) -> None:
    assert (await upload(either, bad, "a.png")).status == 400


async def test_a_refused_request_may_be_sent_again(
    either: Client, sandbox: Sandbox, key: str, name: str
) -> None:
    body = raw.form(files.PNG, filename=name)
    broken = await either.request(
        "POST",
        CHANNEL_PATH,
        data=body[:-6] + b"xxxxxx",
        headers={"Content-Type": FORM_TYPE, "Idempotency-Key": key},
    )
    assert broken.status == 400
    mended = await either.request(
        "POST",
        CHANNEL_PATH,
        data=body,
        headers={"Content-Type": FORM_TYPE, "Idempotency-Key": key},
    )
    assert mended.status == 200, mended.body
    assert await made(sandbox, name) == 1


async def test_a_refusal_by_the_upstream_leaves_a_relays_key_free(
    fast_relay: Client, sandbox: Sandbox, key: str, name: str, store: S3Store
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, status=429, headers={"Retry-After": "1"})
    refused = await upload(fast_relay, key, name)
    assert refused.status == 429
    assert refused.upload_id not in {keys.id_of(i.key) async for i in store.list(keys.PENDING)}
    assert (await upload(fast_relay, key, name)).status == 200
    assert await made(sandbox, name) == 1


@pytest.mark.parametrize("fault", [{"cut": "after"}, {"status": 500}])
async def test_a_relay_with_an_unknown_outcome_is_not_repeated(
    fast_relay: Client, sandbox: Sandbox, key: str, name: str, fault: dict[str, Any]
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, **fault)
    first = await upload(fast_relay, key, name)
    assert first.status in {500, 502}
    before = await made(sandbox, name)
    again = await upload(fast_relay, key, name)
    assert again.status == 409
    assert again.json()["type"].endswith("outcome-unknown")
    assert again.json()["upload"]["id"] == first.upload_id == again.upload_id
    resource = await fast_relay.request("GET", again.headers["Location"])
    assert resource.json()["state"] == "failed"
    assert await made(sandbox, name) == before


async def test_a_kept_answer_is_returned_whatever_the_audit_finds(
    fast_relay: Client, store: S3Store, key: str, name: str
) -> None:
    first = await upload(fast_relay, key, name)
    await fast_relay.end_of(first.upload_id)
    place = keys.record(first.upload_id)
    audited = from_json((await store.get(place)).content)
    history = (*audited.history[:-1], Change(State.FAILED, audited.since))
    dead = replace(audited, history=history, fault=Fault("dead-letter", "given up"))
    await store.put(place, to_json(dead))
    again = await upload(fast_relay, key, name)
    assert (again.status, again.body) == (first.status, first.body)


async def test_a_client_that_leaves_in_the_body_leaves_nothing(
    either: Client, sandbox: Sandbox, key: str, name: str, store: S3Store
) -> None:
    beginning = new_id()

    async def half() -> Any:
        yield raw.form(files.PNG, filename=name)[:100]
        raise ConnectionResetError

    with pytest.raises(aiohttp.ClientError):
        await either.request(
            "POST",
            CHANNEL_PATH,
            data=half(),
            headers={"Content-Type": FORM_TYPE, "Idempotency-Key": key},
        )
    async with asyncio.timeout(PATIENCE):
        while not await released(store, key):  # who comes before has to fence it off, by a record
            await asyncio.sleep(0.05)
    assert (await upload(either, key, name)).status == 200
    assert await made(sandbox, name) == 1
    async with asyncio.timeout(PATIENCE):
        while len(await since(store, beginning)) > 2:  # file and record of what arrived as a whole
            await asyncio.sleep(0.1)


async def test_a_client_that_leaves_before_the_body_is_requested_leaves_nothing(
    either: Client, sandbox: Sandbox, key: str, name: str, store: S3Store
) -> None:
    head = raw.head(
        CHANNEL_PATH,
        f"Authorization: Bearer {TOKENS['alice']}",
        f"Idempotency-Key: {key}",
        raw.FORM_TYPE,
        f"Content-Length: {len(raw.form(files.PNG, filename=name))}",
        "Expect: 100-continue",
    )
    await raw.leave(either.url, head)
    async with asyncio.timeout(PATIENCE):
        while not await released(store, key):
            await asyncio.sleep(0.05)
    assert (await upload(either, key, name)).status == 200
    assert await made(sandbox, name) == 1


async def released(store: S3Store, key: str) -> bool:
    """Whether a request of Alice's with that key has arrived, and released the key."""
    try:
        claim = await store.get(keys.claim("alice", key))
    except ObjectNotFound:
        return False
    return bool(json.loads(claim.content)["released"])


PREFIXES = (keys.INCOMING, keys.PENDING, keys.RECORDS)


async def since(store: S3Store, upload_id: str) -> list[str]:
    """What the bucket has of uploads that began after that one."""
    return [
        info.key
        for prefix in PREFIXES
        async for info in store.list(prefix)
        if keys.id_of(info.key) > upload_id
    ]


async def test_end_of_wait_returns_the_upload_of_the_key(
    external: Client, sandbox: Sandbox, key: str, name: str
) -> None:
    await sandbox.fault("POST", CHANNEL_PATH, delay=3.0)
    asynchronous = {"Prefer": "respond-async"}
    first = await upload(external, key, name, headers=asynchronous)
    again = await upload(external, key, name, headers=asynchronous)
    assert (first.status, again.status) == (202, 202)
    assert first.headers["Location"] == again.headers["Location"]
    final = await upload(external, key, name)
    assert final.status == 200
    assert await made(sandbox, name) == 1


@pytest.mark.usefixtures("worker", "sandbox")
async def test_a_key_belongs_to_the_grant_if_there_is_no_subject(
    start_gateway: StartGateway, key: str
) -> None:
    gateway = start_gateway(grants="relay", delivery="relay", subject_requests="1000")
    ids = []
    asked = (["ONE"], key), (["ONE"], key), (["ONE A"], key), (["ONE"], f"A {key}")
    for grants, its_key in (*asked, (["ONE", "A"], key), (["A", "ONE"], key)):
        lines = [f"Grant: {grant}" for grant in grants]
        answer = await by_grant(gateway, its_key, *lines)
        assert answer.status == 200
        ids.append(answer.body)
    assert ids[0] == ids[1]
    assert len(set(ids)) == len(ids) - 1
    assert (await by_grant(gateway, key, "Grant: é")).status == 400


async def by_grant(gateway: Gateway, key: str, *grants: str) -> raw.RawAnswer:
    body = raw.form(files.PNG)
    request = raw.head(
        f"/runtime/channels/{CHANNEL}/messages",
        *grants,
        f"Idempotency-Key: {key}",
        raw.FORM_TYPE,
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return await raw.exchange(gateway.url, request + body)
