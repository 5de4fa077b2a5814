"""Messages about ends of uploads reach their endpoints, or are kept until they do."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from gateway.backends import Backends
from gateway.choices import Delivery
from gateway.cli import main
from gateway.records.outbox import DROPPED_AFTER, Again
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import Step, advance, begin
from gateway.uploads.record import File, State, Target, Terms, Upload, abandoned, to_json
from gateway.webhooks.messages import message_of
from gateway.webhooks.progress import Over, Progress, Standing, changed
from gateway.webhooks.schedule import GIVE_UP_AFTER
from tests.flows.client import PATIENCE
from tests.servers.aged_store import later, own_lease
from tests.servers.receiver import (
    OTHER_SECRET,
    SECRET,
    Received,
    Receiver,
    accepted,
    receiving,
    status,
)
from workers.due import Due
from workers.lanes import open_lanes
from workers.runtime import WorkerServices
from workers.sniff import Sniffer
from workers.steps import notification
from workers.steps.ending import end
from workers.steps.notification import notify
from workers.steps.poison import MOST_TRIES, several
from workers.sweep.backlog import resend
from workers.sweep.survey import _outbox_oldest

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _until_the_answer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No attempt is left behind as a slow one, except in tests of slow receivers."""
    if "slow" not in request.node.name:
        monkeypatch.setattr(notification, "_MOMENT", PATIENCE)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as at_work:
        yield at_work


@pytest.fixture
def own_environ(own_environ: dict[str, str], receiver: Receiver) -> dict[str, str]:
    return own_environ | {
        "GATEWAY_WEBHOOK_URL": receiver.url,
        "GATEWAY_WEBHOOK_SECRET": f"{SECRET},{OTHER_SECRET}",
        "GATEWAY_WEBHOOK_ALLOW_HTTP": "true",
    }


@pytest.fixture
async def services(own_backends: Backends) -> AsyncIterator[WorkerServices]:
    backends = own_backends
    async with Sniffer.open() as sniffer, open_lanes(backends) as lanes:
        yield WorkerServices(backends, sniffer, Due(backends.redis, backends.queue), lanes=lanes)


def hosted() -> Upload:
    now = datetime.now(UTC)
    return Upload(
        id=new_id(),
        subject="alice",
        request_id="r",
        delivery=Delivery.EXTERNAL,
        target=Target("POST", "/v1/channels/1/messages"),
        history=begin(now, State.STORED, now),
        files=(File(name="a.png", original_name="a.png", declared_type=None, size=3),),
        terms=Terms(),
    )


async def failed(services: WorkerServices) -> Upload:
    """An upload that has failed."""
    entry = await services.backends.ledger.accept(hosted())
    return (await end(services.backends, entry, entry.upload, State.FAILED)).upload


async def in_outbox(services: WorkerServices) -> list[str]:
    return [name async for name, _ in services.backends.outbox.all()]


async def progress_of(services: WorkerServices, upload: Upload) -> Progress:
    waiting = await services.backends.outbox.open(message_of(upload).name)
    assert waiting is not None
    return waiting.progress


async def dead(services: WorkerServices) -> list[str]:
    return [info.key async for info in services.backends.outbox.dead()]


async def test_a_message_is_delivered_once_and_forgotten(
    services: WorkerServices, receiver: Receiver
) -> None:
    upload = await failed(services)
    name = message_of(upload).name
    assert await in_outbox(services) == [name]
    for _ in range(2):
        await notify(name, services)
    (received,) = receiver.received
    for secret in (SECRET, OTHER_SECRET):
        message = received.verified(secret)
    assert message["type"] == "upload.failed"
    assert message["data"]["subject"] == "alice"
    assert message["data"]["upload"]["id"] == upload.id
    assert received.headers["webhook-id"] == message_of(upload).id
    assert await in_outbox(services) == await dead(services) == []


async def test_the_end_of_each_delivery_and_fences_are_told(services: WorkerServices) -> None:
    ledger, now = services.backends.ledger, datetime.now(UTC)
    assert await ledger.fence(abandoned(new_id(), now))
    relayed = hosted()
    relayed = advance(
        Upload(
            id=new_id(),
            subject="bob",
            request_id="r",
            delivery=Delivery.RELAY,
            target=relayed.target,
            history=begin(now, State.RELAYED, now),
            files=relayed.files,
            terms=Terms(),
        ),
        State.AUDITED,
        now,
    )
    await ledger.accept_relayed(relayed)
    entry = await ledger.open(relayed.id)
    assert entry is not None
    await ledger.save(entry, relayed)
    keyed = Upload(
        id=new_id(),
        subject="bob",
        request_id="r",
        delivery=Delivery.RELAY,
        target=relayed.target,
        history=begin(now, State.RELAYED, now)[:1],
        files=relayed.files,
        terms=Terms(),
    )
    entry = await ledger.accept(keyed)
    await ledger.save(entry, advance(keyed, State.FAILED, now))
    await failed(services)
    ends = sorted(name.rpartition("-")[2] for name in await in_outbox(services))
    assert ends == ["aborted", "audited", "failed", "failed"]


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_relay_that_is_audited_twice_has_ended_once(
    services: WorkerServices, receiver: Receiver, keyed: bool
) -> None:
    """Redis has lost that it was audited; or, with a key, a worker died before it said so."""
    ledger, now = services.backends.ledger, datetime.now(UTC)
    relayed = Upload(
        id=new_id(),
        subject="bob",
        request_id="r",
        delivery=Delivery.RELAY,
        target=hosted().target,
        history=begin(now, State.RELAYED, now),
        files=hosted().files,
        terms=Terms(),
    )
    ends = []
    for seconds in (1, 60):
        if keyed:
            await services.backends.store.put(keys.pending(relayed.id), to_json(relayed))
        else:
            await ledger.accept_relayed(relayed)
        entry = await ledger.open(relayed.id)
        assert entry is not None
        audited = advance(relayed, State.AUDITED, now + timedelta(seconds=seconds))
        ends.append((await ledger.save(entry, audited)).upload)
        assert await ledger.open(relayed.id) is None
        await notify(message_of(audited).name, services)
    assert ends[0] == ends[1] == await ledger.ended(relayed.id)
    assert len({each.body for each in receiver.received}) == 1


async def test_the_message_is_there_before_the_end(
    services: WorkerServices, receiver: Receiver
) -> None:
    """As after a crash in between: it waits for its end, and is sent then."""
    entry = await services.backends.ledger.accept(hosted())
    ended = advance(entry.upload, State.FAILED, datetime.now(UTC))
    await services.backends.outbox.place(ended)
    with later(services.backends, DROPPED_AFTER):
        await notify(message_of(ended).name, services)
    assert receiver.received == []
    await end(services.backends, entry, entry.upload, State.FAILED)
    assert await in_outbox(services) == [message_of(ended).name]
    await notify(message_of(ended).name, services)
    assert len(receiver.received) == 1


async def test_a_message_without_an_end_is_dropped(
    services: WorkerServices, receiver: Receiver
) -> None:
    """The upload has ended in another way, and will not end once more."""
    upload = await failed(services)
    other = advance(hosted(), State.REJECTED, datetime.now(UTC))
    unwritten = [
        message_of(other),
        message_of(upload)._replace(state=State.REGISTERED),
        message_of(upload)._replace(sequence=9),
    ]
    for message in unwritten:
        document = b'{"endpoints": {"default": {}}}'
        await services.backends.store.put(keys.message(message.name), document)
        await notify(message.name, services)
    assert len(await in_outbox(services)) == 4
    with later(services.backends, DROPPED_AFTER):
        for message in unwritten:
            await notify(message.name, services)
    assert await in_outbox(services) == [message_of(upload).name]
    assert receiver.received == []


async def test_a_receiver_that_fails_is_tried_again_and_later_given_up(
    services: WorkerServices, receiver: Receiver
) -> None:
    upload = await failed(services)
    name = message_of(upload).name
    receiver.answer = status(503, Retry_After="1000")
    for _ in range(2):  # the second task comes too early
        await notify(name, services)
    standing = (await progress_of(services, upload)).endpoints["default"]
    assert (standing.attempts, standing.status, standing.detail) == (1, 503, "no thanks")
    assert 1000 <= standing.pause <= 1200
    assert len(receiver.received) == 1
    receiver.answer = status(500)
    await services.backends.redis.delete("breaker:webhook:default")
    with later(services.backends, GIVE_UP_AFTER):
        await notify(name, services)
    assert len(receiver.ids) == 1
    assert await in_outbox(services) == []
    assert await dead(services) == [keys.dead_message(name)]
    letter = await services.backends.outbox.open_dead(name)
    assert letter is not None
    assert letter.endpoints["default"].over is Over.DEAD


async def test_a_receiver_that_is_down_costs_few_attempts(
    services: WorkerServices, receiver: Receiver
) -> None:
    receiver.answer = status(500)
    uploads = [await failed(services) for _ in range(12)]
    for upload in uploads:
        await notify(message_of(upload).name, services)
    assert len(receiver.received) >= 5  # and on a slow machine a probe
    progresses = [await progress_of(services, upload) for upload in uploads]
    assert sum(each.endpoints["default"].attempts for each in progresses) == 4
    await services.backends.redis.delete("breaker:webhook:default")  # its pause is over
    receiver.answer = status(200)
    with later(services.backends, 60):
        for upload in uploads:
            await notify(message_of(upload).name, services)
    assert receiver.ids == {message_of(upload).id for upload in uploads}
    assert await in_outbox(services) == []


async def test_an_endpoint_that_is_gone_is_sent_nothing_more(
    services: WorkerServices, receiver: Receiver, own_environ: dict[str, str]
) -> None:
    receiver.answer = status(410)
    for upload in [await failed(services) for _ in range(3)]:
        await notify(message_of(upload).name, services)
    assert len(receiver.received) == 1
    assert len(await dead(services)) == 3
    listed = await asyncio.to_thread(operator, own_environ, "list", "--json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    told = [(row["attempts"], row["status"]) for row in rows]
    assert sorted(told, key=str) == [(0, None), (0, None), (1, 410)]
    async with open_lanes(services.backends) as lanes:  # of another worker
        other = WorkerServices(services.backends, services.sniffer, services.due, lanes=lanes)
        await notify(message_of(await failed(services)).name, other)
    assert len(receiver.received) == 1
    assert len(await dead(services)) == 4


async def test_what_is_given_up_as_an_operator_allows_the_endpoint_again_is_sent(
    services: WorkerServices, receiver: Receiver
) -> None:
    """A command that removed the mark, and looked for dead letters before this one was there."""
    outbox, upload = services.backends.outbox, await failed(services)
    name = message_of(upload).name
    for is_stopped in (False, True):
        if is_stopped:
            await outbox.stop("default", receiver.url)
        waiting = await outbox.open(name)
        assert waiting is not None
        given_up = changed(waiting.progress, {"default": Standing(over=Over.DEAD)})
        await outbox.finish(waiting, given_up, {"default": receiver.url})
        assert await dead(services) == [keys.dead_message(name)]
        assert await in_outbox(services) == ([] if is_stopped else [name])
    await outbox.start("default")
    assert await outbox.send_again(name, ["default"]) is Again.SENT
    assert await outbox.send_again(name, ["default"]) is Again.WAITS
    await notify(name, services)
    assert receiver.ids == {message_of(upload).id}
    assert await in_outbox(services) == await dead(services) == []
    assert await outbox.send_again(name, ["default"]) is Again.NOTHING


async def test_what_is_sent_again_about_an_end_that_was_replaced_is_forgotten(
    services: WorkerServices,
) -> None:
    outbox, store = services.backends.outbox, services.backends.store
    message = message_of(await failed(services))._replace(sequence=9)
    letter = b'{"endpoints": {"default": {"over": "dead"}}}'
    await store.put(keys.dead_message(message.name), letter)
    assert await outbox.send_again(message.name, None) is Again.SENT
    with later(services.backends, DROPPED_AFTER):
        await notify(message.name, services)
    assert message.name not in await in_outbox(services)
    assert await dead(services) == []


async def test_a_message_that_waits_is_sent_again_where_it_was_given_up(
    services: WorkerServices,
) -> None:
    """It still waits for another endpoint; or its process died before it was removed."""
    outbox, store = services.backends.outbox, services.backends.store
    name = message_of(await failed(services)).name
    progress = {"default": Standing(over=Over.DEAD), "other": Standing()}
    for document in (progress, {"default": Standing()}):
        waits = msgspec.json.encode(Progress(endpoints=document))
        await store.put(keys.message(name), waits)
        letter = msgspec.json.encode(Progress(endpoints=progress))
        await store.put(keys.dead_message(name), letter)
        for _ in range(2):
            assert await outbox.send_again(name, None) is Again.WAITS
            waiting = await outbox.open(name)
            assert waiting is not None
            assert waiting.progress.again
            assert waiting.progress.endpoints == dict.fromkeys(document, Standing())


async def test_a_slow_receiver_holds_up_no_other_task(
    services: WorkerServices, receiver: Receiver
) -> None:
    go_on = asyncio.Event()

    async def slow(_: Received) -> web.StreamResponse:
        await go_on.wait()
        return web.Response()

    receiver.answer = slow
    uploads = [await failed(services) for _ in range(20)]
    names = [message_of(each).name for each in uploads]
    for _ in range(2):  # it is sent nothing for a second time meanwhile
        await asyncio.gather(*(notify(name, services) for name in names))
    await receiver.wait_for(16)
    assert len(receiver.received) == len(receiver.ids) == 16
    assert len(await in_outbox(services)) == 20
    go_on.set()
    async with asyncio.timeout(PATIENCE):
        while len(await in_outbox(services)) > 4:
            await asyncio.sleep(0.05)
    assert len(receiver.received) == 16


async def test_a_slow_attempt_of_a_worker_that_stops_is_left_to_another(
    services: WorkerServices, receiver: Receiver
) -> None:
    async def slow(_: Received) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    receiver.answer = slow
    name = message_of(await failed(services)).name
    async with open_lanes(services.backends) as lanes:
        stopping = WorkerServices(services.backends, services.sniffer, services.due, lanes=lanes)
        await notify(name, stopping)
        waiting = await asyncio.to_thread(services.backends.queue.depth)
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(services.backends.queue.depth) == waiting:
            await asyncio.sleep(0.05)
    receiver.answer = accepted
    await notify(name, services)
    assert len(receiver.ids) == 1
    assert await in_outbox(services) == []


async def test_an_endpoint_that_this_worker_does_not_know_keeps_its_messages(
    services: WorkerServices, receiver: Receiver
) -> None:
    upload = await failed(services)
    name = message_of(upload).name
    unknowing = WorkerServices(services.backends, services.sniffer, services.due)
    await notify(name, unknowing)
    assert await in_outbox(services) == [name]
    with later(services.backends, GIVE_UP_AFTER):
        await notify(name, unknowing)
    assert await dead(services) == [keys.dead_message(name)]
    assert receiver.received == []


async def test_what_cannot_be_read_is_set_aside(services: WorkerServices) -> None:
    name = f"{new_id()}/4-failed"
    await services.backends.store.put(keys.message(name), b"nonsense")
    await services.backends.redis.set(keys.tries(name), MOST_TRIES + 1)
    await several(Step.NOTIFY, [name], notify)(services)
    assert await in_outbox(services) == []
    assert await dead(services) == [keys.dead_message(name)]


async def test_the_sweeper_sends_lost_messages_again(services: WorkerServices) -> None:
    lease = await own_lease(services.backends)
    for _ in range(3):
        await failed(services)
    assert await resend(services.backends, lease) == 0
    with later(services.backends, 20):
        assert await resend(services.backends, lease) == 3


async def test_a_late_record_has_its_message_placed_again(
    services: WorkerServices,
) -> None:
    """A process that was stopped between the two finds it dropped, maybe."""
    outbox, store = services.backends.outbox, services.backends.store
    upload = advance(hosted(), State.FAILED, datetime.now(UTC))
    placed = await outbox.place(upload)
    assert placed is not None
    await outbox.drop(placed.message.name)
    written = await store.put(keys.record(upload.id), b"{}")
    await outbox.follow(placed, written)
    assert await in_outbox(services) == []
    await outbox.follow(placed, written._replace(at=written.at + 60))
    assert await in_outbox(services) == [placed.message.name]


def operator(environ: dict[str, str], *arguments: str) -> Result:
    """What the command line does with these settings."""
    return CliRunner().invoke(main, ["webhooks", *arguments], env={**environ, "NO_COLOR": "1"})


async def test_an_operator_sees_messages_and_sends_them_again(
    services: WorkerServices, receiver: Receiver, own_environ: dict[str, str]
) -> None:
    assert (await asyncio.to_thread(operator, own_environ, "list", "--json")).stdout == ""
    upload = await failed(services)
    name = message_of(upload).name
    receiver.answer = status(410)
    await notify(name, services)
    listed = await asyncio.to_thread(operator, own_environ, "list", "--json")
    (row,) = map(json.loads, listed.stdout.splitlines())
    assert (row["name"], row["id"]) == (name, message_of(upload).id)
    assert (row["endpoint"], row["state"], row["status"]) == ("default", "dead", 410)
    assert (await asyncio.to_thread(operator, own_environ, "test")).exit_code == 1
    receiver.answer = accepted
    tested = await asyncio.to_thread(operator, own_environ, "test", "default")
    assert (tested.exit_code, tested.stdout) == (0, "default: ok, 204\n")
    assert receiver.received[-1].verified()["type"] == "webhook.test"
    tested = await asyncio.to_thread(operator, own_environ, "test", "--json")
    accepted_it = {"endpoint": "default", "done": True, "status": 204, "detail": ""}
    assert json.loads(tested.stdout) == accepted_it
    receiver.answer = status(500)
    tested = await asyncio.to_thread(operator, own_environ, "test", "--json")
    assert (tested.exit_code, tested.stderr) == (1, "")
    assert json.loads(tested.stdout).items() >= {"done": False, "status": 500}.items()
    receiver.answer = accepted
    assert (await asyncio.to_thread(operator, own_environ, "retry", "nobody")).exit_code == 1
    assert (await asyncio.to_thread(operator, own_environ, "test", "nobody")).exit_code == 1
    assert await dead(services) == [keys.dead_message(name)]
    again = await asyncio.to_thread(operator, own_environ, "retry", "--since", "1d", "--json")
    assert again.exit_code == 0
    sent = {"name": name, "id": message_of(upload).id, "type": "upload.failed"}
    assert json.loads(again.stdout) == {**sent, "done": True, "text": "sent again"}
    waits_and_is_kept = ([name], [keys.dead_message(name)])
    assert (await in_outbox(services), await dead(services)) == waits_and_is_kept
    listed = await asyncio.to_thread(operator, own_environ, "list", "--json")
    assert [json.loads(line)["state"] for line in listed.stdout.splitlines()] == ["waiting"]
    async with open_lanes(services.backends) as lanes:  # of a worker that has not seen the 410
        other = WorkerServices(services.backends, services.sniffer, services.due, lanes=lanes)
        await notify(name, other)
    assert receiver.received[-1].headers["webhook-id"] == message_of(upload).id
    assert await in_outbox(services) == await dead(services) == []


async def test_settings_without_a_webhook_are_said_to_have_none(
    own_environ: dict[str, str],
) -> None:
    for variable in [name for name in own_environ if name.startswith("GATEWAY_WEBHOOK")]:
        del own_environ[variable]
    for command in ("retry", "test"):
        told = await asyncio.to_thread(operator, own_environ, command)
        assert (told.exit_code, told.stdout) == (1, "")
        assert "error: the settings have no webhook\n" in told.stderr


async def test_how_long_the_oldest_message_has_waited_is_surveyed(
    services: WorkerServices, receiver: Receiver
) -> None:
    assert await _outbox_oldest(services.backends) == 0
    name = message_of(await failed(services)).name
    receiver.answer = status(500)
    with later(services.backends, 500):
        await notify(name, services)
    assert 500 <= await _outbox_oldest(services.backends) < 500 + PATIENCE
