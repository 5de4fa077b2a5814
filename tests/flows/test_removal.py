"""A hosted file is removed with its message, or when its subject deletes the upload."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import ANY

import pytest
from msgspec.structs import replace

from gateway.backends import Backends, open_backends
from gateway.errors import PreconditionFailed
from gateway.records.ordering import Doomed, order_for
from gateway.records.removals import Order, Removals
from gateway.sandbox.state import APPLICATION_ID
from gateway.settings import load
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Cause
from gateway.upstream.breaker import THRESHOLD
from gateway.upstream.credentials import CallersOwn
from tests.flows import files
from tests.flows.client import PATIENCE, Answer, Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox
from tests.servers.zygote import ForkedPart
from workers.steps.removal import _with_application

PATH = f"/v1/channels/{CHANNEL}/messages"


@pytest.fixture
async def backends(environ: dict[str, str]) -> AsyncIterator[Backends]:
    async with open_backends(load(environ)) as opened:
        yield opened


@pytest.fixture
async def alice(start_gateway: StartGateway, worker: ForkedPart) -> AsyncIterator[Client]:
    assert worker.exit_status is None
    gateway = start_gateway(delivery="external", delete_files="true", serve_files="stream")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        yield client


async def sent(client: Client) -> Answer:
    answer = await client.upload(PATH, files.PNG, name="a.png")
    assert answer.status == 200, answer.body
    return answer


async def named_again(client: Client, url: str) -> Any:
    file = {"url": url, "name": "b.png", "contentType": "image/png", "size": 1}
    answer = await client.request("POST", PATH, json={"type": "FILE", "file": file})
    assert answer.status == 200, answer.body
    return answer.json()["id"]


async def all_carried_out(store: S3Store) -> None:
    async with asyncio.timeout(PATIENCE):
        while [info async for info in store.list(keys.REMOVALS)]:
            await asyncio.sleep(0.05)


async def status_of_file(client: Client, answer: Answer) -> int:
    return (await client.request("GET", answer.json()["file"]["url"])).status


async def is_there(store: S3Store, answer: Answer) -> bool:
    key = keys.incoming(answer.upload_id)
    return key in [info.key async for info in store.list(key)]


@pytest.mark.parametrize("generation", ["/v1", "", "/v1/applications/1"])
async def test_the_file_of_a_deleted_message_is_removed(
    alice: Client, store: S3Store, generation: str
) -> None:
    deleted, other = await sent(alice), await sent(alice)
    path = f"{generation}/messages/{deleted.json()['id']}"
    assert (await alice.request("DELETE", path)).status == 200
    await all_carried_out(store)
    gone = await alice.request("GET", deleted.json()["file"]["url"])
    assert gone.status == 410
    assert gone.json()["type"].endswith(":file-gone")
    assert not await is_there(store, deleted)
    resource = await alice.resource(deleted.upload_id)
    assert (resource["state"], resource["removedFor"]) == ("registered", "message")
    assert resource["removedAt"] >= resource["history"][-1]["at"]
    assert await status_of_file(alice, other) == 200
    assert "removedAt" not in await alice.resource(other.upload_id)


async def test_a_message_that_is_not_deleted_keeps_its_file(
    alice: Client, store: S3Store, sandbox: Sandbox
) -> None:
    answer = await sent(alice)
    path = f"/v1/messages/{answer.json()['id']}"
    await sandbox.fault("DELETE", path, status=403)
    assert (await alice.request("DELETE", path)).status == 403
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 200


async def test_nothing_is_deleted_if_the_message_cannot_be_read(
    alice: Client, store: S3Store, sandbox: Sandbox
) -> None:
    answer = await sent(alice)
    path = f"/v1/messages/{answer.json()['id']}"
    await sandbox.fault("GET", path, status=500)
    assert (await alice.request("DELETE", path)).status == 502
    assert (await sandbox.get(path))["id"] == answer.json()["id"]
    assert await status_of_file(alice, answer) == 200
    assert (await alice.request("DELETE", path)).status == 200
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 410


@pytest.mark.parametrize("spelling", ["as it is", "with a grant", "with escapes"])
async def test_a_file_that_another_message_names_stays(
    alice: Client, store: S3Store, spelling: str
) -> None:
    answer = await sent(alice)
    bob = alice.as_another(TOKENS["bob"])
    url = answer.json()["file"]["url"]
    if spelling == "with a grant":
        url += "?grant=read"
    elif spelling == "with escapes":
        url = url.replace("/files/", "/%66iles/")
        assert (await alice.request("GET", url)).status == 200
    first, second = [await named_again(bob, url) for _ in range(2)]
    assert (await bob.request("DELETE", f"/v1/messages/{first}")).status == 200
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 200
    own = f"/v1/messages/{answer.json()['id']}"
    assert (await alice.request("DELETE", own)).status == 200
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 200
    assert (await alice.request("DELETE", f"/gateway/uploads/{answer.upload_id}")).status == 202
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 200
    assert (await bob.request("DELETE", f"/v1/messages/{second}")).status == 200
    assert (await alice.request("DELETE", f"/gateway/uploads/{answer.upload_id}")).status == 202
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 410


async def test_naming_another_users_picture_cannot_delete_it(alice: Client, store: S3Store) -> None:
    picture = await alice.upload("/v1/users/1/display-picture", files.PNG, name="p.png")
    assert picture.status == 200, picture.body
    url = (await alice.resource(picture.upload_id))["url"]
    number = await named_again(alice.as_another(TOKENS["bob"]), url)
    assert (await alice.request("DELETE", f"/v1/messages/{number}")).status == 200
    await all_carried_out(store)
    assert (await alice.request("GET", url)).status == 200


async def test_a_message_unknown_to_another_application_is_not_gone(
    alice: Client, store: S3Store, backends: Backends, sandbox: Sandbox
) -> None:
    """The gateway gets credentials of another application while an order waits."""
    answer = await sent(alice)
    path = f"/v1/messages/{answer.json()['id']}"
    caller = CallersOwn(f"Bearer {alice.token}")
    order = await order_for(
        backends.chatkitty, backends.ring, Doomed(Cause.MESSAGE, path), caller, None
    )
    assert order is not None
    assert (await alice.request("DELETE", sandbox.url + path)).status == 200
    others = replace(order, application=2)
    for each, status in ((others, 200), (order, 410)):
        backends.queue.send(Step.REMOVE, await Removals(store).place(each))
        await all_carried_out(store)
        assert await status_of_file(alice, answer) == status


async def test_an_order_of_a_subject_remembers_in_which_application_it_was_asked_about(
    alice: Client, store: S3Store, backends: Backends
) -> None:
    answer = await sent(alice)
    removals = Removals(store)
    order = Order(upload_id=answer.upload_id, cause=Cause.SUBJECT)
    placed = await removals.open(await removals.place(order))
    assert placed is not None
    known = await _with_application(placed, backends)
    assert known.order == replace(order, application=APPLICATION_ID)
    assert await removals.open(placed.id) == replace(known, age=ANY)
    assert await _with_application(known, backends) == known
    await removals.place(replace(order, application=2), placed.id)
    with pytest.raises(PreconditionFailed):  # it was placed again since
        await removals.amend(known, known.order)
    backends.queue.send(Step.REMOVE, placed.id)
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 200


async def test_a_subject_deletes_its_upload_and_no_others(alice: Client, store: S3Store) -> None:
    answer = await sent(alice)
    path = f"/gateway/uploads/{answer.upload_id}"
    assert (await alice.as_another(TOKENS["bob"]).request("DELETE", path)).status == 404
    told = await alice.request("DELETE", path)
    assert (told.status, told.headers["Location"]) == (202, path)
    await all_carried_out(store)
    assert await status_of_file(alice, answer) == 410
    assert not await is_there(store, answer)
    assert (await alice.resource(answer.upload_id))["removedFor"] == "subject"
    again = await alice.request("DELETE", path)
    assert (again.status, again.body) == (204, b"")


async def test_files_stay_unless_their_removal_is_configured(
    external: Client, store: S3Store
) -> None:
    answer = await sent(external)
    path = f"/gateway/uploads/{answer.upload_id}"
    refused = await external.request("DELETE", path)
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, PATCH")
    assert (await external.request("DELETE", f"/v1/messages/{answer.json()['id']}")).status == 200
    assert [info async for info in store.list(keys.REMOVALS)] == []
    assert await is_there(store, answer)


async def test_a_relayed_file_is_not_removed(
    start_gateway: StartGateway, worker: ForkedPart
) -> None:
    assert worker.exit_status is None
    gateway = start_gateway(delivery="relay", delete_files="true")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        answer = await client.upload(PATH, files.PNG, name="a.png")
        await client.end_of(answer.upload_id)
        refused = await client.request("DELETE", f"/gateway/uploads/{answer.upload_id}")
        assert refused.status == 409
        other = await client.request("PUT", f"/gateway/uploads/{answer.upload_id}")
        assert (other.status, other.headers["Allow"]) == (405, "GET, HEAD, PATCH, DELETE")


@pytest.mark.slow
async def test_a_removal_finds_out_that_chatkitty_is_back(
    alice: Client, store: S3Store, backends: Backends
) -> None:
    answer = await sent(alice)
    for _ in range(THRESHOLD):
        await backends.breaker.failed(0.0)
    assert (await alice.request("DELETE", f"/v1/messages/{answer.json()['id']}")).status == 200
    await all_carried_out(store)
    assert not await backends.breaker.is_open()


PICTURE = "/v1/users/2/display-picture"
ELSEWHERE = "https://example.com/p.png"


def reference(url: str = ELSEWHERE) -> dict[str, str | int]:
    return {"url": url, "name": "p.png", "contentType": "image/png", "size": 1}


async def picture(client: Client, path: str = PICTURE) -> Answer:
    answer = await client.upload(path, files.PNG, name="p.png")
    assert answer.status == 200, answer.body
    return answer


async def url_of(client: Client, answer: Answer) -> str:
    return str((await client.resource(answer.upload_id))["url"])


async def set_picture(client: Client, url: str, user: int = 2) -> None:
    path = f"/v1/users/{user}/display-picture"
    answer = await client.request("POST", path, json=reference(url))
    assert answer.status == 200, answer.body


async def test_the_file_of_a_replaced_display_picture_is_removed(
    alice: Client, store: S3Store
) -> None:
    first, others = await picture(alice), await picture(alice, "/v1/users/1/display-picture")
    second = await picture(alice, "/users/2/display-picture")
    await all_carried_out(store)
    resource = await alice.resource(first.upload_id)
    assert (resource["state"], resource["removedFor"]) == ("registered", "picture")
    assert not await is_there(store, first)
    assert await is_there(store, second)
    assert await is_there(store, others)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["relay", "relay with a key", "reference", "unversioned"])
async def test_whatever_replaces_a_picture_takes_its_file(
    alice: Client, store: S3Store, start_gateway: StartGateway, by: str
) -> None:
    first = await picture(alice)
    if by.startswith("relay"):
        relay = start_gateway(delivery="relay", delete_files="true")
        headers = {"Idempotency-Key": first.upload_id} if "key" in by else {}
        async with Client.open(relay.url, alice.token) as client:
            for _ in range(2):  # the repetition has no file to remove
                answer = await client.upload(PICTURE, files.PNG, name="r.png", headers=headers)
                assert answer.status == 200
    elif by == "reference":
        await set_picture(alice, ELSEWHERE)
    else:
        path = "/applications/1/users/2/display-picture"
        body = {"url": "https://a.example/p", "name": "p", "content_type": "image/png", "size": 1}
        assert (await alice.request("POST", path, json=body)).status == 200
    await all_carried_out(store)
    assert not await is_there(store, first)
    assert (await alice.resource(first.upload_id))["removedFor"] == "picture"


@pytest.mark.slow
async def test_a_picture_that_is_not_replaced_keeps_its_file(
    alice: Client, store: S3Store, sandbox: Sandbox, start_gateway: StartGateway
) -> None:
    first = await picture(alice)
    await sandbox.fault("POST", PICTURE, status=403)
    body = reference()
    assert (await alice.request("POST", PICTURE, json=body)).status == 403
    await all_carried_out(store)
    assert await is_there(store, first)
    await sandbox.fault("GET", "/v1/users/2", status=500)  # nobody knows which file it has
    assert (await alice.request("POST", PICTURE, json=body)).status == 502
    assert (await sandbox.get("/v1/users/2"))["displayPictureUrl"] == await url_of(alice, first)
    keeping = start_gateway(delivery="external")
    async with Client.open(keeping.url, alice.token) as client:
        await picture(client)
    assert [info async for info in store.list(keys.REMOVALS)] == []
    assert await is_there(store, first)


@pytest.mark.slow
@pytest.mark.parametrize("namer", ["user", "message"])
async def test_a_replaced_picture_that_something_else_names_stays(
    alice: Client, store: S3Store, namer: str
) -> None:
    first = await picture(alice)
    url = await url_of(alice, first)
    number = 0
    if namer == "user":
        await set_picture(alice, f"{url}?size=64", user=1)
    else:
        number = await named_again(alice, url)
    await picture(alice)
    await asyncio.sleep(6)  # workers have looked more than once
    assert await is_there(store, first)
    if namer == "user":
        await set_picture(alice, ELSEWHERE, user=1)
    else:
        assert (await alice.request("DELETE", f"/v1/messages/{number}")).status == 200
    await all_carried_out(store)
    assert not await is_there(store, first)


@pytest.mark.slow
async def test_slow_picture_upload_still_removes_the_replaced_file(
    alice: Client, store: S3Store
) -> None:
    first = await picture(alice)

    async def slowly() -> AsyncIterator[bytes]:
        body = json.dumps(reference()).encode()
        yield body[:10]
        async with asyncio.timeout(PATIENCE):
            while not (orders := [info.key async for info in store.list(keys.REMOVALS)]):
                await asyncio.sleep(0.05)
        for order in orders:  # as a worker that still sees the first picture
            await store.delete(order)
        yield body[10:]

    headers = {"Content-Type": "application/json"}
    answer = await alice.request("POST", PICTURE, data=slowly(), headers=headers)
    assert answer.status == 200, answer.body
    await all_carried_out(store)
    assert not await is_there(store, first)
