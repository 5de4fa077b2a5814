"""The gateway answers what the operator's page asks for as its document says."""

import json
import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec
import pytest

from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.record import State
from gateway.webhooks.progress import Over, Progress, Standing
from tests.flows.client import Client
from tests.openapi.operators import TAG
from tests.openapi.test_answers import UNKNOWN, Documented
from tests.openapi.test_document import FILE, operations
from tests.pages.ground import ADMIN_TOKEN, id_at, keep, own_bucket, upload
from tests.servers.fixtures import StartGateway

pytestmark = pytest.mark.slow

JSON: Final = {"Content-Type": "application/json"}


@pytest.fixture
async def kept(seaweedfs: SeaweedFS) -> AsyncIterator[tuple[str, S3Store]]:
    async with own_bucket(seaweedfs) as opened:
        yield opened


@pytest.fixture
async def documented(
    start_gateway: StartGateway, kept: tuple[str, S3Store]
) -> AsyncIterator[Documented]:
    gateway = start_gateway(admin_token=ADMIN_TOKEN, s3_bucket=kept[0], delivery="external")
    await gateway.until_ready()
    async with Client.open(gateway.admin_url, ADMIN_TOKEN) as client:
        yield Documented(client, gateway.admin_url, json.loads(FILE.read_text()))


async def test_every_operation_is_answered_as_described(
    documented: Documented, kept: tuple[str, S3Store]
) -> None:
    failed, unread = await _fill(kept[1])
    call = documented.call
    for name in ("getStatus", "getRates", "findUploads", "runDoctor"):
        await call(name, 200)
    query = "?state=failed&state=dead&newer=3600&older=0&delivery=&problem=&subject=&route="
    found = await call("findUploads", 200, query=query)
    assert [each["id"] for each in found.json()["uploads"]] == [unread, failed]
    for query in ("?state=all&state=dead", f"?state=all&before={UNKNOWN}", "?state=dead"):
        await call("findUploads", 200, query=query)
    examined = await call("examineUpload", 200, id=failed)
    assert examined.json()["messages"][0]["endpoints"][0]["state"] == "dead"
    assert (await call("examineUpload", 200, id=unread)).json()["upload"]["state"] == "dead"
    matched = await call("matchUploads", 200, query="?action=retry&state=failed&force=true")
    assert matched.json()["ids"] == [failed]
    for order in ({"action": "retry", "ids": [failed, unread]}, {"action": "cancel", "ids": ["x"]}):
        await call("actOnUploads", 200, JSON, json.dumps(order).encode())
    names = {
        operation["operationId"]
        for _, _, operation in operations(documented.document)
        if TAG in operation["tags"]
    }
    assert names == documented.called


async def _fill(store: S3Store) -> tuple[str, str]:
    """The ids of an upload that failed, and of one with a record that cannot be read."""
    failed, unread = upload(id_at(time.time() - 60), State.FAILED), id_at(time.time() - 30)
    await keep(store, [failed])
    await store.put(keys.dead(unread), b"no record")
    standing = Standing(attempts=9, status=500, detail="an error", over=Over.DEAD)
    progress = msgspec.json.encode(Progress(endpoints={"crm": standing}))
    await store.put(keys.dead_message(f"{failed.id}/4-registered"), progress)
    return failed.id, unread


async def test_refusals_are_answered_as_described(documented: Documented) -> None:
    call, order = documented.call, b'{"action": "retry", "ids": ["x"]}'
    reads = {"getStatus": "", "getRates": "", "findUploads": "", "examineUpload": ""}
    for name, query in {**reads, "matchUploads": "?action=retry"}.items():
        await call(name, 401, {"Authorization": "Bearer another"}, query=query)
        await call(name, 400, {"Authorization": "Bearer"}, query=query)
        await call(name, 421, {"Host": "attacker.example"}, query=query)
        await call(name, 417, {"Expect": "nothing"}, query=query)
    for name, data in {"actOnUploads": order, "runDoctor": b""}.items():
        await call(name, 401, {**JSON, "Authorization": "Bearer another"}, data)
        await call(name, 403, {**JSON, "Sec-Fetch-Site": "cross-site"}, data)
        await call(name, 421, {**JSON, "Host": "attacker.example"}, data)
    await call("findUploads", 400, query="?state=none")
    await call("matchUploads", 400)
    await call("examineUpload", 404)
    await call("actOnUploads", 400, JSON, b"{}")
    await call("actOnUploads", 400, {"Content-Type": "text/plain"}, order)
    for name in ("getHealth", "getReadiness", "getMetrics"):
        await call(name, 417, {"Expect": "nothing"})


async def test_without_a_token_there_is_nothing(start_gateway: StartGateway) -> None:
    gateway = start_gateway(delivery="external")
    await gateway.until_ready()
    async with Client.open(gateway.admin_url, ADMIN_TOKEN) as client:
        documented = Documented(client, gateway.admin_url, json.loads(FILE.read_text()))
        for name in ("getStatus", "getRates", "findUploads", "examineUpload", "matchUploads"):
            await documented.call(name, 404)
        for name in ("actOnUploads", "runDoctor"):
            await documented.call(name, 404, JSON, b"{}")
