"""Complete files without records, as operators see and recover them."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from msgspec.structs import replace

from gateway.backends import Backends
from gateway.errors import ObjectNotFound
from gateway.records import orphans
from gateway.records.spare import find_spare, forget_token, recovered, spare_of
from gateway.store.writer import ObjectWriter
from gateway.uploads import keys
from gateway.uploads.attempts import EXCHANGE_SECONDS, lease_of
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Change, State, Upload
from gateway.upstream.retry import LISTING_AFTER_TIMEOUT
from tests.flows import files
from tests.gateway.admin.conftest import Run
from tests.gateway.admin.test_cli import end_of, keep, upload_of
from tests.servers.aged_store import AgedStore, open_aged_backends

pytestmark = pytest.mark.slow


async def orphan(backends: Backends, upload: Upload) -> Upload:
    """A complete file without a record, as a gateway leaves it."""
    writer = ObjectWriter(backends.store, keys.incoming(upload.id))
    await writer.write(files.PNG)
    await writer.finish(spare_of(upload, backends.ring))
    return upload


@pytest.fixture
def _an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AgedStore, "ageing", 3600.0)


@pytest.mark.usefixtures("_an_hour_later")
async def test_orphans_are_listed_and_recovered(run: Run, backends: Backends, subject: str) -> None:
    first = await orphan(backends, upload_of(subject, authorization=None))
    # With a token, which metadata would hold for good.
    token = backends.ring.encrypt("t")
    second = await orphan(backends, upload_of(subject, authorization=token))
    bare = upload_of(subject)
    await backends.store.put(keys.incoming(bare.id), b"bare")
    table = (await run("orphans")).stdout.splitlines()
    assert table[0].split() == [
        "ID",
        "AGE",
        "LEFT",
        "BYTES",
        "ACCEPTED",
        "COPY",
        "SUBJECT",
        "TARGET",
    ]
    assert [line.split()[0] for line in table if subject in line] == [first.id, second.id]
    rows = [json.loads(line) for line in (await run("orphans", "--json")).stdout.splitlines()]
    assert {row["id"]: row["hasCopy"] for row in rows}.items() >= {
        first.id: True,
        second.id: True,
        bare.id: False,
    }.items()
    await run("recover", "--all", "--dry-run")
    await run("recover", "--accepted")  # none of them is known to be
    assert not [each async for each in backends.ledger.list_pending() if each.upload_id == first.id]
    result = await run("recover", "--all")
    assert result.exit_code == 1  # the bare one
    assert f"error: {bare.id}: no copy of its record can be read" in result.stderr
    for upload in (first, second):
        kept = (await backends.ledger.open_kept(upload.id)).upload
        assert kept.attempt is not None
        assert kept.attempt.unknown
        assert replace(kept, attempt=None) == upload
        note = (await backends.store.head(keys.incoming(upload.id))).note
        assert (note is None) == (upload is second)
        again = await run("recover", upload.id)
        assert again.stderr == f"error: {upload.id}: it has a record, and is stored\n"
    await backends.store.delete(keys.incoming(bare.id))


@pytest.mark.usefixtures("_an_hour_later")
async def test_a_command_for_all_never_ends_without_a_word(
    run: Run, environ: dict[str, str], subject: str
) -> None:
    bucket = {"GATEWAY_S3_BUCKET": f"admin-{uuid4()}"}
    nothing = {
        ("list", "--all"): "no uploads match",
        ("list",): "no pending uploads match: --all also lists those that have ended",
        ("orphans",): "there are no files without a record",
        ("recover", "--all"): "there are no files without a record",
        ("recover", "--accepted"): "no file without a record is known to have been accepted",
        ("discard", "--all"): "there are no files without a record",
        ("retry", "--all-failed"): "no hosted upload has failed",
        ("purge", "--older-than", "1"): "no uploads match",
    }
    async with open_aged_backends({**environ, **bucket}) as backends:
        for arguments, said in nothing.items():
            assert (await run(*arguments, **bucket)).output == f"{said}\n"
        accepted = await orphan(backends, upload_of(subject))
        await orphans.mark(backends.store, accepted.id, accepted=True)
        left = "skipped because they were accepted: 1; see `uploads recover`\n"
        assert (await run("discard", "--all", **bucket)).output == left


async def test_a_discarded_file_is_removed_for_good_and_an_accepted_one_is_not(
    run: Run, backends: Backends, subject: str
) -> None:
    unknown = await orphan(backends, upload_of(subject))
    accepted = await orphan(backends, upload_of(subject))
    await orphans.mark(backends.store, accepted.id, accepted=True)
    assert f"{unknown.id}: removed" in (await run("discard", unknown.id)).stdout
    with pytest.raises(ObjectNotFound):
        await backends.store.head(keys.incoming(unknown.id))
    assert "and is aborted" in (await run("recover", unknown.id)).stderr
    assert "it was accepted" in (await run("discard", accepted.id)).stderr
    rows = [json.loads(line) for line in (await run("orphans", "--json")).stdout.splitlines()]
    assert {row["id"]: row["accepted"] for row in rows}.get(accepted.id, "yes") == "yes"
    assert f"{accepted.id}: removed" in (await run("discard", "--force", accepted.id)).stdout


@pytest.mark.parametrize("quiet", [0.0, 20.0, 3600.0])
def test_recovered_upload_waits_for_a_possible_registration(quiet: float) -> None:
    upload = upload_of("alice")
    now = datetime.now(UTC)
    inspected = replace(upload, history=(*upload.history, Change(State.INSPECTED, now)))
    again = recovered(inspected, now, quiet)
    assert again.history == upload.history
    assert again.attempt is not None
    longest = lease_of(EXCHANGE_SECONDS)
    assert again.attempt.unknown
    assert again.attempt.lease == max(0.0, longest - quiet)
    assert again.attempt.settling == max(0.0, longest + LISTING_AFTER_TIMEOUT - quiet)


async def test_a_young_file_is_no_orphan_yet(run: Run, backends: Backends, subject: str) -> None:
    young = await orphan(backends, upload_of(subject))
    assert young.id not in (await run("orphans")).stdout
    await backends.store.delete(keys.incoming(young.id))


async def test_a_copy_under_another_key_is_reported(
    run: Run, backends: Backends, subject: str
) -> None:
    upload = await orphan(backends, upload_of(subject))
    other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    result = await run("recover", upload.id, GATEWAY_SECRET_KEY=other)
    assert "made with another GATEWAY_SECRET_KEY" in result.stderr
    await backends.store.delete(keys.incoming(upload.id))
    assert "no longer in the bucket" in (await run("recover", upload.id)).stderr
    assert (await run("recover")).exit_code == 2


async def test_record_copy_reveals_nothing_to_readers_of_the_file(
    backends: Backends, subject: str
) -> None:
    upload = await orphan(backends, upload_of(subject, authorization=None))
    note = (await backends.store.head(keys.incoming(upload.id))).note
    assert note is not None
    assert subject not in note
    assert await find_spare(backends.store, backends.ring, upload.id) == upload
    await backends.store.delete(keys.incoming(upload.id))


async def test_a_copy_keeps_a_token_no_longer_than_the_upload_has_no_end(
    backends: Backends, subject: str
) -> None:
    upload = await orphan(backends, upload_of(subject, authorization=backends.ring.encrypt("t")))
    assert await find_spare(backends.store, backends.ring, upload.id) == upload
    await forget_token(backends.store, backends.ring, upload)
    kept = await find_spare(backends.store, backends.ring, upload.id)
    assert kept == replace(upload, authorization=None)
    await backends.ledger.forget_file(upload.id)


@pytest.mark.usefixtures("worker")
async def test_what_was_inspected_and_lost_its_file_is_not_registered(
    backends: Backends, subject: str
) -> None:
    inspected = upload_of(subject)
    states = (*inspected.history, replace(inspected.history[-1], state=State.INSPECTED))
    inspected = replace(inspected, history=states)
    await keep(backends, inspected, file=None)
    backends.queue.send(Step.REGISTER, inspected.id)
    ended = await end_of(backends, inspected.id)
    assert (ended.state, ended.fault and ended.fault.slug) == (State.FAILED, "file-lost")
