"""Records that an operator, a lifecycle rule or a backup removed, and how they are recovered."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.records import backlog_snapshot
from gateway.records.spare import find_spare
from gateway.store.parts import FIRST_PART
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.lifecycle import is_end
from gateway.uploads.record import State
from tests.crashes.conftest import LATER, Stage, died
from tests.flows import files
from tests.flows.client import Answer
from tests.servers.aged_store import AgedStore, sweep_later
from tests.servers.gateway import Gateway

pytestmark = pytest.mark.slow

SMALL: Final = 97
LARGE: Final = 3
AT_A_TIME: Final = 10
SECONDS: Final = 120.0


@pytest.fixture(autouse=True)
def _acknowledged_at_once(lonely_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosted uploads are acknowledged at once, and files without a record are kept for days."""
    lonely_environ["GATEWAY_DELIVERY"] = "external"
    lonely_environ["GATEWAY_REGISTRATION_WAIT"] = "0"
    lonely_environ["GATEWAY_ORPHAN_RETENTION"] = str(7 * 86_400)
    lonely_environ["GATEWAY_SWEEP_INTERVAL"] = "1"
    monkeypatch.setattr("gateway.telemetry.configure_logs", lambda *_: None)


async def upload_all(stage: Stage, gateway: Gateway, small: int, large: int) -> list[str]:
    """The ids of the acknowledged uploads, some of them of several parts."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def upload(data: bytes) -> Answer | None:
        async with turns:
            return await stage.upload(gateway, data=data)

    in_parts = files.PNG + bytes(FIRST_PART)
    answers = await asyncio.gather(*map(upload, [files.PNG] * small + [in_parts] * large))
    assert all(answer is not None and answer.status == 202 for answer in answers)
    return sorted(answer.upload_id for answer in answers if answer is not None)


async def wipe(stage: Stage, prefix: str) -> None:
    async for info in stage.backends.store.list(prefix):
        await stage.backends.store.delete(info.key)


async def orphans(stage: Stage) -> backlog_snapshot.Orphans:
    """As metrics report it, after a pass of the sweeper."""
    await stage.forget_presence()  # which expires a while after the answer
    await sweep_later(stage.backends, LATER)
    found = await backlog_snapshot.look(stage.backends.redis)
    assert found is not None
    return found.orphans


async def command(stage: Stage, *arguments: str) -> Result:
    """An operator's command line, an hour later."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AgedStore, "ageing", LATER)
        stage.backends.store.ageing = 0.0  # type: ignore[attr-defined]
        return await asyncio.to_thread(
            CliRunner().invoke, main, ["uploads", *arguments], env=stage.environ
        )


async def registered(stage: Stage, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Wait for the end of all; returns their messages."""
    await stage.send_pending()
    async with asyncio.timeout(SECONDS):
        for upload_id in ids:
            while not is_end((upload := await stage.backends.ledger.find(upload_id)).state):
                await asyncio.sleep(0.1)
            assert upload.state is State.REGISTERED, upload.fault
    return await stage.messages()


async def test_uploads_with_wiped_records_are_registered_once_by_one_command(stage: Stage) -> None:
    ids = await upload_all(stage, stage.gateway(), SMALL, LARGE)
    await wipe(stage, keys.PENDING)
    assert await orphans(stage) == backlog_snapshot.Orphans(accepted=len(ids))
    assert sorted(await stage.left(keys.INCOMING)) == ids
    await died(stage.command("uploads", "recover", *ids, crash_at="recover.kept").pid)
    begun = await stage.left(keys.PENDING)  # one, or as many as are done at a time
    assert begun
    stage.worker()
    result = await command(stage, "recover", "--accepted")
    assert result.exit_code == 0, result.output
    await registered(stage, sorted(set(ids) - set(begun)))
    await stage.take_up()  # those that waited for an attempt that might have been in progress
    messages = await registered(stage, ids)
    assert len({message["file"]["url"] for message in messages}) == len(messages) == len(ids)
    assert await orphans(stage) == backlog_snapshot.Orphans()
    assert len(await stage.left(keys.SPARES)) == LARGE


async def test_wiped_records_come_back_and_no_message_is_sent_again(stage: Stage) -> None:
    gateway, worker = stage.gateway(), stage.worker()
    ids = await upload_all(stage, gateway, 5, 1)
    assert len(await registered(stage, ids)) == len(ids)
    await wipe(stage, keys.RECORDS)
    assert await orphans(stage) == backlog_snapshot.Orphans(accepted=len(ids))
    assert sorted(await stage.left(keys.INCOMING)) == ids
    result = await command(stage, "recover", "--all")
    assert result.exit_code == 0, result.output
    assert len(await registered(stage, ids)) == len(ids)
    assert worker.exit_status is None


async def test_a_callers_token_is_kept_with_the_copy_until_the_end(stage: Stage) -> None:
    for name in ("GATEWAY_UPSTREAM_CLIENT_ID", "GATEWAY_UPSTREAM_CLIENT_SECRET"):
        del stage.environ[name]
    stage.environ["GATEWAY_AUTH"] = "static"  # the other wants to know its own application
    (upload_id,) = await upload_all(stage, stage.gateway(), 1, 0)
    await wipe(stage, keys.PENDING)
    await orphans(stage)
    assert (await command(stage, "recover", upload_id)).exit_code == 0
    spare = await find_spare(stage.backends.store, stage.backends.ring, upload_id)
    assert spare is not None
    assert spare.authorization is not None
    stage.worker()
    assert len(await registered(stage, [upload_id])) == 1
    spare = await find_spare(stage.backends.store, stage.backends.ring, upload_id)
    assert spare is not None
    assert spare.authorization is None


@pytest.mark.parametrize("prefix", [keys.PENDING, keys.RECORDS])
async def test_a_repetition_after_a_wipe_is_the_first_request(stage: Stage, prefix: str) -> None:
    gateway, key = stage.gateway(), str(uuid4())
    first = await stage.upload(gateway, key)
    assert first is not None
    if prefix == keys.RECORDS:
        await stage.take_up()
        assert len(await stage.messages()) == 1
    await wipe(stage, prefix)
    await stage.forget_presence()
    again = await stage.upload(gateway, key)
    assert again is not None
    assert again.upload_id == first.upload_id
    await stage.take_up()
    assert len(await registered(stage, [first.upload_id])) == 1
    assert await stage.left(keys.INCOMING) == [first.upload_id]


async def copy(stage: Stage, source: str, target: str, keys_wanted: Sequence[str]) -> None:
    """Copy as `aws s3 cp` does from bucket to bucket: with the metadata."""
    client = stage.backends.store._client  # type: ignore[attr-defined]
    for key in keys_wanted:
        await client.copy_object(Bucket=target, Key=key, CopySource={"Bucket": source, "Key": key})


async def test_a_backup_that_is_restored_in_part_loses_nothing(stage: Stage) -> None:
    gateway = stage.gateway()
    worker = stage.worker()
    before = await upload_all(stage, gateway, 4, 1)
    await registered(stage, before)
    worker.kill()
    ids = sorted([*before, *await upload_all(stage, gateway, 4, 1)])
    bucket = stage.environ["GATEWAY_S3_BUCKET"]
    backup = f"backup-{uuid4()}"
    store = stage.backends.store
    assert isinstance(store, S3Store)
    await store._client.create_bucket(Bucket=backup)
    everything = [info.key async for info in store.list("")]
    await copy(stage, bucket, backup, everything)
    await wipe(stage, "")
    # Of the records every other one is restored, and of the marks and claims none.
    records = [key for key in everything if key.startswith((keys.PENDING, keys.RECORDS))]
    kept = [key for key in everything if key.startswith((keys.INCOMING, keys.SPARES))]
    await copy(stage, backup, bucket, [*kept, *records[::2]])
    await sweep_later(stage.backends, LATER)
    stage.worker()
    result = await command(stage, "recover", "--all")
    assert result.exit_code == 0, result.output
    messages = await registered(stage, ids)
    assert len({message["file"]["url"] for message in messages}) == len(messages) == len(ids)
