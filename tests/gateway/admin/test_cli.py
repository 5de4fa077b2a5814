"""The operator's commands on a real bucket, while Redis and the broker are down."""

import asyncio
import json
import time
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from click.testing import Result
from google_crc32c import value
from msgspec.structs import replace

from gateway.admin.search import Query, search
from gateway.backends import Backends
from gateway.choices import Delivery
from gateway.resumable.session import Parts, Phase, Tail
from gateway.resumable.sessions import Sessions
from gateway.uploads import keys
from gateway.uploads.ids import created_at, first_id_at, new_id
from gateway.uploads.lifecycle import Step, advance, begin
from gateway.uploads.record import (
    Attempt,
    Change,
    Fault,
    File,
    State,
    Target,
    Terms,
    Upload,
    to_json,
)
from tests.flows import files
from tests.flows.client import ENDS, PATIENCE
from tests.gateway.admin.conftest import Run
from tests.gateway.resumable.test_session import SESSION
from tests.servers.aged_store import AgedStore
from tests.servers.sandbox import CHANNEL, Sandbox
from workers.sweep import lease as leases
from workers.sweep.backlog import resend

pytestmark = pytest.mark.slow


def upload_of(subject: str, **members: Any) -> Upload:
    now = datetime.now(UTC)
    upload_id = members.pop("id", None) or new_id()
    file = File(name="a.png", original_name=None, declared_type=None, size=len(files.PNG))
    upload = Upload(
        id=upload_id,
        subject=subject,
        request_id="r",
        delivery=Delivery.EXTERNAL,
        target=Target("POST", f"/v1/channels/{CHANNEL}/messages"),
        history=begin(now, State.STORED, now),
        files=(file,),
        terms=Terms(),
        url=f"http://files.example/{upload_id}",
        authorization="SEALED",
    )
    return replace(upload, **members)


def ended(upload: Upload, *states: State) -> Upload:
    for state in states:
        upload = advance(upload, state, datetime.now(UTC))
    return replace(upload, authorization=None)


def attempt(**waits: float) -> Attempt:
    return Attempt(count=3, first_at=datetime.now(UTC), unknown=True, **waits)


async def keep(backends: Backends, *uploads: Upload, file: bytes | None = files.PNG) -> None:
    for upload in uploads:
        place = keys.pending if upload.state.value not in ENDS else keys.record
        await backends.store.put(place(upload.id), to_json(upload))
        if file is not None:
            await backends.store.put(keys.incoming(upload.id), file)


async def has(backends: Backends, prefix: str, upload_id: str) -> bool:
    return upload_id in [keys.id_of(info.key) async for info in backends.store.list(prefix)]


async def end_of(backends: Backends, upload_id: str) -> Upload:
    """The end that workers bring it to; nothing is pending after that."""
    async with asyncio.timeout(PATIENCE):
        while await has(backends, keys.PENDING, upload_id):
            await asyncio.sleep(0.05)
    upload = await backends.ledger.ended(upload_id)
    assert upload is not None
    return upload


async def sweep(backends: Backends) -> None:
    """Have workers do what is overdue, an hour later."""
    store = backends.store
    assert isinstance(store, AgedStore)
    memory = leases.Memory(holder="test", seconds=3600)
    store.ageing = 3600.0
    written = await store.put(keys.SWEEP, b"{}")
    await resend(backends, leases.Lease(store, memory, written))
    store.ageing = 0.0


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_pending_uploads_are_listed_oldest_first_and_ended_ones_if_asked_for(
    run: Run, backends: Backends, subject: str
) -> None:
    stored, failing, other = upload_of(subject), upload_of(subject), upload_of("somebody")
    failed = replace(ended(failing, State.FAILED), fault=Fault("registration-failed", "no"))
    latest = upload_of(subject)
    await keep(backends, stored, failed, other, latest)

    async def found(*states: State, everything: bool = False) -> list[str]:
        query = Query(frozenset(states), everything, subject)
        return [each.upload_id async for each in search(backends.store, query)]

    assert await found() == [stored.id, latest.id]
    assert await found(everything=True) == [stored.id, failed.id, latest.id]
    assert await found(State.FAILED, State.STORED) == [stored.id, failed.id, latest.id]
    assert await found(State.REGISTERED) == []
    (row,) = rows(await run("list", "--json", "--subject", subject, "--state", "failed"))
    assert (row["id"], row["subject"], row["requestId"]) == (failed.id, subject, "r")
    assert row["problem"] == {"type": "registration-failed", "detail": "no"}
    table = await run("list", "--all", "--subject", subject, "--limit", "2")
    assert [line.split()[:2] for line in table.stdout.splitlines()] == [
        ["ID", "STATE"],
        [stored.id, "stored"],
        [failed.id, "failed"],
    ]
    assert table.stderr == "there may be more than these 2: see --limit\n"
    nothing = await run("list", "--all", "--subject", subject, "--state", "registered")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "no uploads match\n")
    unknown = await run("list", "--subject", f"{subject}?")
    assert "--all" in unknown.stderr


async def test_uploads_of_which_a_part_has_come_are_listed(
    run: Run, backends: Backends, subject: str
) -> None:
    began = (Change(State.RECEIVING, datetime.now(UTC)),)
    receiving = upload_of(subject, history=began, files=())
    session = replace(
        SESSION, upload=receiving, length=300, tails=(Tail("0", 70, 0), Tail("1", 30, 0))
    )
    await Sessions(backends.store).create(session)
    (row,) = rows(await run("list", "--json", "--subject", subject))
    assert (row["id"], row["state"]) == (receiving.id, "receiving")
    assert (row["offset"], row["length"]) == (100, 300)
    for more in ((), ("--all",), ("--state", "receiving")):
        table = await run("list", "--subject", subject, *more)
        assert table.stdout.splitlines()[1].split()[4] == "100/300"
    assert rows(await run("list", "--json", "--subject", subject, "--state", "failed")) == []
    assert json.loads((await run("show", "--json", receiving.id)).stdout)["offset"] == 100
    accepted = advance(receiving, State.STORED, datetime.now(UTC))
    await keep(backends, accepted)
    (row,) = rows(await run("list", "--json", "--subject", subject))
    assert (row["state"], "offset" in row) == ("stored", False)
    await Sessions(backends.store).remove(receiving.id)


async def begun(backends: Backends, subject: str, **members: Any) -> str:
    """A session with a part in the store and a tail; returns its id."""
    began = (Change(State.RECEIVING, datetime.now(UTC)),)
    upload = upload_of(subject, history=began, files=())
    multipart = await backends.store.create_multipart(keys.incoming(upload.id))
    await backends.store.upload_part(multipart, 1, BytesIO(files.PNG), value(files.PNG))
    await backends.store.put(keys.tail(upload.id, "0"), b"tail")
    session = replace(
        SESSION,
        upload=upload,
        parts=Parts(upload_id=multipart.upload_id, whole_checksum=multipart.whole_checksum),
        tails=(Tail("0", 4, 0),),
    )
    await Sessions(backends.store).create(replace(session, **members))
    return upload.id


async def left_of(backends: Backends, upload_id: str) -> list[str]:
    store = backends.store
    found = [info.key async for info in store.list(keys.tails(upload_id))]
    found += [each.key async for each in store.list_multipart_uploads(keys.incoming(upload_id))]
    found += [keys.session(upload_id)] if await has(backends, keys.SESSIONS, upload_id) else []
    return found


async def test_an_upload_that_is_still_received_is_cancelled_with_all_that_has_come(
    run: Run, backends: Backends, subject: str
) -> None:
    upload_id = await begun(backends, subject)
    assert len(await left_of(backends, upload_id)) == 3
    retried = await run("retry", upload_id)
    assert (retried.exit_code, "only its client can continue" in retried.stderr) == (1, True)
    assert (await run("cancel", upload_id)).stdout.endswith(f"{upload_id}: cancelled\n")
    assert await left_of(backends, upload_id) == []
    dead = await backends.ledger.ended(upload_id)
    assert dead is not None
    assert (dead.state, dead.subject) == (State.ABORTED, subject)
    again = await run("cancel", upload_id)
    assert (again.exit_code, "it has ended as aborted" in again.stderr) == (1, True)


async def test_a_complete_session_is_left_to_the_workers(
    run: Run, backends: Backends, subject: str
) -> None:
    upload_id = await begun(backends, subject, phase=Phase.COMPLETE)
    refused = await run("cancel", "--force", upload_id)
    assert (refused.exit_code, "about to be accepted" in refused.stderr) == (1, True)
    assert len(await left_of(backends, upload_id)) == 3
    await Sessions(backends.store).remove(upload_id)


@pytest.mark.parametrize("document", [b"{", bytes(9 * 1024**2)], ids=["broken", "too large"])
async def test_a_session_that_cannot_be_read_is_removed_by_force_only(
    run: Run, backends: Backends, subject: str, document: bytes
) -> None:
    upload_id = await begun(backends, subject)
    await backends.store.put(keys.session(upload_id), document)
    assert "state: unreadable" in (await run("show", upload_id)).stdout
    refused = await run("cancel", upload_id)
    assert (refused.exit_code, "cannot be read: --force" in refused.stderr) == (1, True)
    assert len(await left_of(backends, upload_id)) == 3
    assert (await run("cancel", "--force", upload_id)).stdout.endswith(": cancelled\n")
    assert await left_of(backends, upload_id) == []
    dead = await backends.ledger.ended(upload_id)
    assert dead is not None
    assert dead.state is State.ABORTED


async def test_a_list_begins_and_ends_as_requested(
    run: Run, backends: Backends, subject: str
) -> None:
    hours_old = [upload_of(subject, id=first_id_at(time.time() - h * 3600)) for h in (5, 3, 1)]
    await keep(backends, *hours_old, file=None)
    for asked, expected in {
        ("--older-than", "120m"): hours_old[:2],
        ("--older-than", "7200", "--newer-than", "4h"): hours_old[1:2],
    }.items():
        found = rows(await run("list", "--json", "--subject", subject, *asked))
        assert [row["id"] for row in found] == [upload.id for upload in expected]
    assert (await run("list", "--older-than", "soon")).exit_code == 2


async def test_records_that_were_set_aside_are_listed_and_do_not_end_a_list(
    run: Run, backends: Backends
) -> None:
    dead, broken = new_id(), new_id()
    await backends.store.put(keys.dead(dead), b"{")
    await backends.store.put(keys.pending(broken), b"{")
    assert [dead, "dead"] in [
        [row["id"], row["state"]] for row in rows(await run("list", "--json", "--state", "dead"))
    ]
    since = ("--newer-than", str(int(time.time() - created_at(broken)) + 1))
    listed = rows(await run("list", "--json", *since))
    assert [broken, "unreadable"] in [[row["id"], row["state"]] for row in listed]
    assert "state: dead" in (await run("show", dead)).stdout
    for command in ("retry", "cancel"):
        result = await run(command, broken)
        assert (result.exit_code, result.stderr) == (
            1,
            f"error: {broken}: its record cannot be read\n",
        )


async def test_all_of_an_upload_is_shown_but_its_authorization(
    run: Run, backends: Backends, subject: str
) -> None:
    upload = upload_of(subject, attempt=attempt(lease=80))
    await keep(backends, upload)
    result = await run("show", upload.id, "--json")
    shown = json.loads(result.stdout)
    assert shown["attempt"].items() >= {"count": 3, "unknown": True}.items()
    assert shown["incoming"] == {"present": True, "size": len(files.PNG)}
    assert shown["record"]["key"] == keys.pending(upload.id)
    assert shown["subject"] == subject
    text = (await run("show", upload.id)).stdout
    assert f"subject: {subject}" in text
    assert "SEALED" not in result.output + text


@pytest.mark.parametrize("command", ["show", "retry", "cancel"])
async def test_what_the_bucket_does_not_know_is_not_found(run: Run, command: str) -> None:
    result = await run(command, new_id())
    assert result.exit_code == 1
    assert "may be only in Redis" in result.stderr
    assert result.stdout == ""
    assert "is not the id" in (await run(command, "../records")).stderr


@pytest.mark.usefixtures("worker")
async def test_failed_uploads_are_resumed_and_registered(
    run: Run, backends: Backends, subject: str, sandbox: Sandbox
) -> None:
    before = upload_of(subject)
    failed = ended(before, State.FAILED)
    tried = upload_of(subject, attempt=attempt(), history=before.history)
    tried = ended(tried, State.INSPECTED, State.FAILED)
    lost = ended(upload_of(subject), State.FAILED)
    await keep(backends, failed, tried)
    await keep(backends, lost, file=None)
    one = await run("retry", failed.id)
    assert one.exit_code == 0
    assert f"{failed.id}: stored again; the sweeper resumes it" in one.stdout
    assert "pending already" in (await run("retry", failed.id)).stderr
    rest = await run("retry", "--all-failed")
    assert "skipped because their files are gone: " in rest.stderr
    assert tried.id in rest.stdout
    assert failed.id not in rest.output
    assert lost.id not in rest.output
    assert "no longer in the bucket" in (await run("retry", lost.id)).stderr
    told = await run("retry", failed.id, lost.id, "--json")
    assert told.exit_code == 1
    assert [(each["id"], each["done"]) for each in map(json.loads, told.stdout.splitlines())] == [
        (failed.id, False),
        (lost.id, False),
    ]
    assert not told.stderr
    listed = rows(await run("list", "--json", "--state", "failed", "--subject", subject))
    assert [row["id"] for row in listed] == [lost.id]
    await sweep(backends)
    for upload in (failed, tried):
        assert (await end_of(backends, upload.id)).state is State.REGISTERED
    urls = [message["file"]["url"] for message in await sandbox.messages() if "file" in message]
    assert sorted(url for url in urls if url in {failed.url, tried.url}) == sorted(
        [str(failed.url), str(tried.url)]
    )
    assert "registered cannot be retried" in (await run("retry", failed.id)).stderr


@pytest.mark.usefixtures("worker")
async def test_an_upload_that_was_refused_can_be_retried_at_once(
    run: Run, backends: Backends, subject: str, sandbox: Sandbox
) -> None:
    upload = upload_of(subject, authorization=None)
    await keep(backends, upload)
    await sandbox.fault("POST", upload.target.path, status=403)
    await sweep(backends)
    refused = await end_of(backends, upload.id)
    assert refused.state is State.FAILED
    assert refused.attempt is not None
    assert not refused.attempt.unknown
    told = (await run("retry", upload.id)).stdout
    assert "inspected again" in told
    assert "at the earliest" not in told
    await sweep(backends)
    assert (await end_of(backends, upload.id)).state is State.REGISTERED


async def test_upload_that_cannot_be_resumed_is_reported(
    run: Run, backends: Backends, subject: str
) -> None:
    pending, failed = upload_of(subject), ended(upload_of(subject), State.FAILED)
    now = datetime.now(UTC)
    relay = upload_of(
        subject,
        delivery=Delivery.RELAY,
        history=(Change(State.RECEIVING, now), Change(State.FAILED, now)),
    )
    await keep(backends, pending, relay, failed)
    result = await run("retry", pending.id, relay.id)
    assert result.exit_code == 1
    assert f"error: {pending.id}: it is stored, and has not failed\n" in result.stderr
    assert f"error: {relay.id}: a relayed upload cannot be retried" in result.stderr
    poor = await run(
        "retry", failed.id, GATEWAY_UPSTREAM_CLIENT_ID=None, GATEWAY_UPSTREAM_CLIENT_SECRET=None
    )
    assert poor.exit_code == 1
    assert "its caller's token, which the gateway deletes" in poor.stderr
    assert (await run("retry")).exit_code == 2


async def test_a_cancelled_upload_has_failed_and_its_file_is_gone(
    run: Run, backends: Backends, subject: str
) -> None:
    upload = upload_of(subject)
    await keep(backends, upload)
    result = await run("cancel", upload.id)
    assert (result.exit_code, result.stdout) == (0, f"{upload.id}: cancelled\n")
    assert not await has(backends, keys.PENDING, upload.id)
    assert not await has(backends, keys.INCOMING, upload.id)
    end = await backends.ledger.ended(upload.id)
    assert end is not None
    assert end.state is State.FAILED
    assert end.fault == Fault("cancelled", "cancelled by an operator")
    assert end.authorization is None
    again = await run("cancel", upload.id)
    assert (again.exit_code, again.stderr) == (1, f"error: {upload.id}: it has ended as failed\n")
    assert "no longer in the bucket" in (await run("retry", upload.id)).stderr


async def test_an_attempt_that_runs_is_not_cancelled_and_one_that_may_have_needs_force(
    run: Run, backends: Backends, subject: str
) -> None:
    now = datetime.now(UTC)
    history = (*upload_of(subject).history, Change(State.INSPECTED, now))
    running = upload_of(subject, history=history, attempt=attempt(lease=80))
    unknown = upload_of(subject, history=history, attempt=attempt())
    relay = upload_of(subject, delivery=Delivery.RELAY, history=begin(now, State.RELAYED, now))
    await keep(backends, running, unknown, relay)
    result = await run("cancel", running.id, unknown.id, relay.id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{running.id}: it is being registered right now" in result.stderr
    assert f"{unknown.id}: an earlier attempt may have reached ChatKitty" in result.stderr
    assert f"{relay.id}: a relayed upload cannot be cancelled" in result.stderr
    for upload in (running, unknown):
        assert (await backends.ledger.open_kept(upload.id)).upload == upload
    forced = await run("cancel", "--force", running.id, unknown.id, relay.id)
    assert forced.exit_code == 1
    assert forced.stdout == f"{unknown.id}: cancelled\n"


async def test_an_upload_that_has_ended_meanwhile_is_not_cancelled(
    run: Run, backends: Backends, subject: str
) -> None:
    """Its worker died after the end was recorded: the pending record is a leftover."""
    now = datetime.now(UTC)
    history = (*upload_of(subject).history, Change(State.INSPECTED, now))
    pending = upload_of(subject, history=history)
    end = ended(pending, State.REGISTERED)
    await keep(backends, pending, end)
    result = await run("cancel", pending.id)
    assert (result.exit_code, result.stderr) == (
        1,
        f"error: {pending.id}: it has ended as registered\n",
    )
    assert not await has(backends, keys.PENDING, pending.id)
    assert await has(backends, keys.INCOMING, pending.id)
    assert await backends.ledger.ended(pending.id) == end


@pytest.mark.usefixtures("worker")
async def test_workers_finish_what_an_operator_began_to_cancel(
    backends: Backends, subject: str, sandbox: Sandbox
) -> None:
    now = datetime.now(UTC)
    history = (*upload_of(subject).history, Change(State.INSPECTED, now))
    cancelled = upload_of(subject, history=history, fault=Fault("cancelled", "by an operator"))
    await keep(backends, cancelled)
    backends.queue.send(Step.REGISTER, cancelled.id)
    assert (await end_of(backends, cancelled.id)).state is State.FAILED
    assert not await has(backends, keys.INCOMING, cancelled.id)
    urls = [message["file"]["url"] for message in await sandbox.messages() if "file" in message]
    assert cancelled.url not in urls


async def test_an_unavailable_store_is_one_line_and_so_are_wrong_settings(run: Run) -> None:
    away = await run("list", GATEWAY_S3_ENDPOINT_URL="http://127.0.0.1:1")
    assert (away.exit_code, away.output) == (1, "error: the store cannot be reached\n")
    wrong = await run("list", GATEWAY_SECRET_KEY="short")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: ")
