"""What the endpoints of the operator's page say of uploads, and do to them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.choices import Delivery
from gateway.stack.ports import HOST, free_port
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.record import Attempt, Fault, State, Target, Upload, from_json
from gateway.webhooks.progress import Over, Progress, Standing, begun
from tests.flows.client import PATIENCE
from tests.pages.ground import ADMIN_TOKEN, ATTACK, Operator, id_at, keep, upload
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway


@pytest.fixture
def gateway(start_gateway: StartGateway, bucket: tuple[str, S3Store]) -> Gateway:
    return start_gateway(admin_token=ADMIN_TOKEN, s3_bucket=bucket[0], delivery="external")


@pytest.fixture
async def operator(gateway: Gateway) -> AsyncIterator[Operator]:
    async with Operator.open(gateway.admin_url) as operator:
        yield operator


def made(count: int, state: State = State.STORED, **members: Any) -> list[Upload]:
    """Uploads of the last minutes, the newest first."""
    now = time.time()
    return [upload(id_at(now - 3 * number), state, **members) for number in range(1, count + 1)]


async def test_uploads_are_listed_by_page_the_newest_first(
    operator: Operator, kept: S3Store
) -> None:
    uploads = made(120)
    await keep(kept, uploads)
    shown: list[str] = []
    pages, before = 0, None
    while pages == 0 or before is not None:
        found = await operator.get("uploads", **({"before": before} if before else {}))
        assert len(found["uploads"]) <= 50
        shown += [each["id"] for each in found["uploads"]]
        pages, before = pages + 1, found["before"]
    assert shown == [each.id for each in uploads]
    assert pages == 3


async def test_a_filter_finds_what_matches(operator: Operator, kept: S3Store) -> None:
    stored, failed, odd = made(1)[0], made(1, State.FAILED)[0], made(1, State.REGISTERED)[0]
    odd = replace(
        odd, subject="bob", delivery=Delivery.RELAY, target=Target("POST", "/v1/other"), files=()
    )
    old = upload(id_at(time.time() - 90_000), State.FAILED, fault=Fault("dead-letter", ""))
    await keep(kept, [stored, failed, odd, old])
    await kept.put(keys.dead(dead := id_at(time.time() - 5)), b"no record")

    async def ids(**query: str) -> set[str]:
        return {each["id"] for each in (await operator.get("uploads", **query))["uploads"]}

    assert await ids() == {stored.id}
    assert await ids(state="all") == {stored.id, failed.id, odd.id, old.id}
    assert await ids(state="failed") == {failed.id, old.id}
    assert await ids(state="failed", newer="3600") == {failed.id}
    assert await ids(state="failed", older="3600") == {old.id}
    assert await ids(state="all", problem="dead-letter") == {old.id}
    assert await ids(state="all", delivery="relay") == {odd.id}
    assert await ids(state="all", route="other") == {odd.id}
    assert await ids(state="all", subject="bob") == {odd.id}
    assert await ids(state="dead") == {dead}


async def test_subjects_are_digests_unless_the_setting_shows_them(
    operator: Operator,
    kept: S3Store,
    start_gateway: StartGateway,
    bucket: tuple[str, S3Store],
) -> None:
    each = made(1, subject="alice@example.com")[0]
    await keep(kept, [each])
    (row,) = (await operator.get("uploads"))["uploads"]
    assert row["subject"].startswith("#")
    shown = (await operator.ask(f"/gateway/admin/uploads/{each.id}")).text
    assert "alice@example.com" not in shown
    found = await operator.get("uploads", subject=row["subject"])
    assert [one["id"] for one in found["uploads"]] == [each.id]
    open_one = start_gateway(
        admin_token=ADMIN_TOKEN, s3_bucket=bucket[0], admin_show_subjects="true"
    )
    async with Operator.open(open_one.admin_url) as other:
        (row,) = (await other.get("uploads"))["uploads"]
        assert row["subject"] == "alice@example.com"


async def test_one_upload_is_shown_with_its_ids_and_without_secrets(
    operator: Operator, kept: S3Store
) -> None:
    each = made(1, State.FAILED)[0]
    each = replace(
        each,
        url="http://files/gateway/files/token/cat.png",
        authorization="sealed-token",
        trace={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
        fault=Fault("registration-failed", ATTACK),
    )
    await keep(kept, [each])
    answer = await operator.ask(f"/gateway/admin/uploads/{each.id}")
    assert answer.document["traceId"] == "a" * 32
    shown = answer.document["upload"]
    assert [change["state"] for change in shown["history"]] == [
        "receiving", "stored", "inspected", "failed",
    ]  # fmt: skip
    assert shown["problem"]["detail"] == ATTACK
    assert shown["requestId"] == "request-1"
    assert shown["attempt"]["count"] == 3
    assert answer.document["refusals"]["retry"] is None
    assert answer.document["refusals"]["cancel"] == "it is failed"
    assert "sealed-token" not in answer.text
    assert "/gateway/files/" not in answer.text


@pytest.mark.parametrize("upload_id", ["nothing", "01982c5e-3b1a-7c63-9f5e-8d2f4b6a7c10"])
async def test_an_unknown_upload_is_not_found(operator: Operator, upload_id: str) -> None:
    answer = await operator.ask(f"/gateway/admin/uploads/{upload_id}")
    assert answer.status == 404


async def test_a_failed_upload_is_retried_once_and_logged(
    operator: Operator, kept: S3Store, gateway: Gateway
) -> None:
    each = made(1, State.FAILED)[0]
    await keep(kept, [each])
    first, second = [await operator.act("retry", each.id, job="job-1") for _ in range(2)]
    assert first[0]["done"], first
    assert not second[0]["done"], second
    document = await kept.get(keys.pending(each.id))
    assert from_json(document.content).state is State.INSPECTED
    events = [
        json.loads(line) for line in gateway.log.read_text().splitlines() if "admin.acted" in line
    ]
    said = [(event["action"], event["asked"], event["done"], event["job"]) for event in events]
    assert said == [("retry", 1, 1, "job-1"), ("retry", 1, 0, "job-1")]


async def test_an_upload_whose_outcome_is_unknown_is_cancelled_by_force_only(
    operator: Operator, kept: S3Store
) -> None:
    each = made(1)[0]
    attempt = Attempt(count=1, first_at=each.since, unknown=True)
    await keep(kept, [replace(each, attempt=attempt)])
    refusals = (await operator.get(f"uploads/{each.id}"))["refusals"]
    assert "may have reached ChatKitty" in refusals["cancel"]
    assert refusals["forcedCancel"] is None
    assert not (await operator.act("cancel", each.id))[0]["done"]
    assert (await operator.act("cancel", each.id, force=True))[0]["done"]
    assert (await operator.get(f"uploads/{each.id}"))["upload"]["state"] == "failed"


async def test_whoever_cancels_together_with_others_has_done_it_or_reads_why_not(
    operator: Operator, kept: S3Store
) -> None:
    each = made(1)[0]
    await keep(kept, [each])
    answers = await asyncio.gather(*(operator.act("cancel", each.id) for _ in range(8)))
    outcomes = [outcome for (outcome,) in answers]
    assert any(outcome["done"] for outcome in outcomes)  # several, if they came in step
    others = {outcome["text"] for outcome in outcomes if not outcome["done"]}
    assert others <= {
        "a worker is processing it: try again in a moment",
        "somebody else is cancelling it",
        "it has ended as failed",
    }


async def test_counting_changes_nothing_and_says_what_would_be_refused(
    operator: Operator, kept: S3Store
) -> None:
    failed = made(30, State.FAILED)
    lost = upload(id_at(time.time() - 200), State.FAILED)
    await keep(kept, [*failed, lost])
    await kept.delete(keys.incoming(lost.id))
    found = await operator.get("matches", action="retry", state="failed")
    assert found["ids"] == [each.id for each in failed]
    assert found["refused"] == {"its file is no longer in the bucket": 1}
    assert found["before"] is None
    assert (await operator.get("uploads"))["uploads"] == []
    done = await operator.act("retry", *found["ids"])
    assert [each["done"] for each in done] == [True] * 30
    found = await operator.get("matches", action="retry", state="failed")
    assert found["ids"] == []


async def test_an_order_about_several_goes_on_after_one_that_is_refused(
    operator: Operator, kept: S3Store
) -> None:
    failed = made(2, State.FAILED)
    await keep(kept, failed)
    broken = id_at(time.time())
    await kept.put(keys.record(broken), b"{")
    ids = [failed[0].id, "no id", id_at(1e9), broken, failed[1].id]
    outcomes = await operator.act("retry", *ids)
    assert [each["done"] for each in outcomes] == [True, False, False, False, True]
    assert all(each["text"] for each in outcomes)


async def test_the_state_says_what_waits_and_since_when(operator: Operator, kept: S3Store) -> None:
    old = upload(id_at(time.time() - 600))
    await keep(kept, [*made(3), old])
    status = await operator.get("status")
    # A part may take long to answer, and the gateway announces itself only then.
    async with asyncio.timeout(PATIENCE):
        while status["status"] != "ready" or not status["backlog"] or not status["processes"]:
            await asyncio.sleep(0.05)
            status = await operator.get("status")
    waiting = {each["kind"]: each for each in status["backlog"]}
    assert waiting["pending"]["count"] == 4
    assert status["at"] - waiting["pending"]["oldest"] >= 599
    assert waiting["dead"] == {"kind": "dead", "count": 0, "more": False, "oldest": None}
    assert "gateway" in {each["role"] for each in status["processes"]}


async def test_the_state_is_told_while_parts_are_away(start_gateway: StartGateway) -> None:
    nowhere = free_port()
    gateway = start_gateway(
        admin_token=ADMIN_TOKEN,
        redis_url=f"redis://{HOST}:{nowhere}/0",
        broker_url=f"redis://{HOST}:{nowhere}/0",
        s3_endpoint_url=f"http://{HOST}:{nowhere}",
    )
    async with Operator.open(gateway.admin_url) as operator, asyncio.timeout(PATIENCE):
        status = await operator.get("status")
        assert status["status"] == "unready"
        assert {"redis", "store"} <= status["faults"].keys()
        assert status["backlog"] is None
        assert status["processes"] is None
        answer = await operator.ask("/gateway/admin/uploads")
        assert answer.status == 503


async def test_messages_are_shown_and_those_that_were_given_up_sent_again(
    operator: Operator, kept: S3Store, gateway: Gateway
) -> None:
    each, other = made(2, State.REGISTERED)
    await keep(kept, [each, other])
    found = await operator.get(f"uploads/{each.id}")
    assert (found["messages"], found["hasWebhooks"]) == ([], False)
    assert found["refusals"]["resend"] == "no message about it was given up"
    dead = Standing(attempts=9, status=500, detail="an error", over=Over.DEAD)
    sent = Standing(attempts=1, status=200, over=Over.DELIVERED)
    name = f"{each.id}/4-registered"
    progress = Progress(endpoints={"crm": dead, "mail": sent}, waited=9.0)
    for place in (name, f"{other.id}/4-registered"):
        await kept.put(keys.dead_message(place), msgspec.json.encode(progress))
    await kept.put(keys.message(f"{each.id}/3-failed"), msgspec.json.encode(begun(["crm"])))
    await kept.put(keys.dead_message(f"{each.id}/2-aborted"), b"no message")
    found = await operator.get(f"uploads/{each.id}")
    kinds = [(one["type"], one["givenUp"], one["readable"]) for one in found["messages"]]
    assert kinds == [
        ("upload.failed", False, True),
        ("upload.aborted", True, False),
        ("upload.registered", True, True),
    ]
    assert found["messages"][2]["endpoints"] == [
        {"name": "crm", "state": "dead", "attempts": 9, "status": 500, "detail": "an error"},
        {"name": "mail", "state": "delivered", "attempts": 1, "status": 200, "detail": ""},
    ]
    assert found["refusals"]["resend"] is None
    first, second = [await operator.act("resend", each.id) for _ in range(2)]
    assert (first[0]["done"], second[0]["done"]) == (True, False)
    assert first[0]["text"].startswith("1 message; workers send")
    document = await kept.get(keys.message(name))
    again = msgspec.json.decode(document.content, type=Progress)
    assert again.endpoints == {"crm": Standing(), "mail": sent}
    assert [info.key async for info in kept.list(keys.dead_message(f"{other.id}/"))]
    assert '"action":"resend"' in gateway.log.read_text()


async def test_the_request_is_linked_to_the_log_system(
    kept: S3Store, start_gateway: StartGateway, bucket: tuple[str, S3Store]
) -> None:
    each = made(1, request_id='a/b?c="&d')[0]
    await keep(kept, [each])
    linked = start_gateway(
        admin_token=ADMIN_TOKEN, s3_bucket=bucket[0], log_url="https://logs.example/?q={request_id}"
    )
    async with Operator.open(linked.admin_url) as operator:
        found = await operator.get(f"uploads/{each.id}")
        assert found["logUrl"] == "https://logs.example/?q=a%2Fb%3Fc%3D%22%26d"


async def test_doctor_says_of_each_part_whether_it_works(operator: Operator) -> None:
    answer = await operator.ask("/gateway/admin/doctor", "POST", json={})
    assert answer.status == 200, answer.text
    assert answer.document["parts"]["store"]["ok"]
    assert {"redis", "upstream", "settings"} <= answer.document["parts"].keys()
