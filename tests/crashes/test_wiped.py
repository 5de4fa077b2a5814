"""Records that an operator or a lifecycle rule took away, and what brings them back."""

import asyncio
import os
import sys
from typing import Any, Final

import pytest

from gateway.store.parts import FIRST_PART
from gateway.uploads import findings, keys
from gateway.uploads.lifecycle import is_end
from gateway.uploads.record import State
from tests.crashes.conftest import LATER, Stage, died
from tests.flows import files
from tests.flows.client import Answer
from tests.servers.aged_store import sweep_later
from tests.servers.gateway import Gateway

pytestmark = pytest.mark.slow

SMALL: Final = 97
LARGE: Final = 3
AT_A_TIME: Final = 10
SECONDS: Final = 120.0


@pytest.fixture(autouse=True)
def _without_workers(lonely_environ: dict[str, str]) -> None:
    """Hosted uploads are acknowledged at once, and what has no record is kept for days."""
    lonely_environ["GATEWAY_DELIVERY"] = "external"
    lonely_environ["GATEWAY_REGISTRATION_WAIT"] = "0"
    lonely_environ["GATEWAY_ORPHAN_RETENTION"] = str(7 * 86_400)
    lonely_environ["GATEWAY_SWEEP_INTERVAL"] = "1"


async def upload_all(stage: Stage, gateway: Gateway) -> list[str]:
    """The ids of the acknowledged uploads, some of them of several parts."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def upload(data: bytes) -> Answer | None:
        async with turns:
            return await stage.upload(gateway, data=data)

    large = files.PNG + bytes(FIRST_PART)
    answers = await asyncio.gather(*map(upload, [files.PNG] * SMALL + [large] * LARGE))
    assert all(answer is not None and answer.status == 202 for answer in answers)
    return sorted(answer.upload_id for answer in answers if answer is not None)


async def wipe(stage: Stage, prefix: str) -> None:
    async for info in stage.backends.store.list(prefix):
        await stage.backends.store.delete(info.key)


async def orphans(stage: Stage) -> int:
    """As metrics tell, after a pass of the sweeper."""
    await sweep_later(stage.backends, LATER)
    found = await findings.look(stage.backends.redis)
    assert found is not None
    return found.orphans


async def recover(stage: Stage, ids: list[str]) -> int:
    """Take all up again, and send them to the workers, as a sweeper does later."""
    command = (sys.executable, "-m", "gateway.cli", "uploads", "recover", *ids)
    ended = await asyncio.create_subprocess_exec(*command, env={**os.environ, **stage.environ})
    status = await ended.wait()
    await stage.send_pending()
    return status


async def registered(stage: Stage, ids: list[str]) -> list[dict[str, Any]]:
    """Wait for the end of all; returns their messages."""
    async with asyncio.timeout(SECONDS):
        for upload_id in ids:
            while not is_end((upload := await stage.backends.ledger.find(upload_id)).state):
                await asyncio.sleep(0.1)
            assert upload.state is State.REGISTERED, upload.fault
    return await stage.messages()


async def test_a_wiped_pending_is_registered_by_one_command_once(stage: Stage) -> None:
    ids = await upload_all(stage, stage.gateway())
    await wipe(stage, keys.PENDING)
    assert await orphans(stage) == len(ids)
    assert sorted(await stage.left(keys.INCOMING)) == ids
    await died(stage.command("uploads", "recover", *ids, crash_at="reopen.kept").pid)
    assert len(await stage.left(keys.PENDING)) == 1
    assert await recover(stage, ids) == 1  # of one it says that it has a record
    stage.worker()
    messages = await registered(stage, ids)
    assert len({message["file"]["url"] for message in messages}) == len(messages) == len(ids)
    await wipe(stage, keys.RECORDS)  # and of what is registered nothing is sent again
    assert await orphans(stage) == len(ids)
    assert await recover(stage, ids) == 0
    assert len(await registered(stage, ids)) == len(ids)
    assert await orphans(stage) == 0
    assert len(await stage.left(keys.SPARES)) == LARGE
