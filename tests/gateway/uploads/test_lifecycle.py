from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from gateway.choices import Delivery
from gateway.errors import IllegalTransition
from gateway.uploads.excerpt import Piece
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import advance, begin, is_end, reopen, supersedes
from gateway.uploads.record import (
    Attempt,
    Cause,
    Fault,
    File,
    Removed,
    State,
    Target,
    Terms,
    Upload,
    abandoned,
    from_json,
    pack,
    to_json,
    unpack,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

PATHS = {
    "registered": [State.STORED, State.INSPECTED, State.REGISTERED],
    "rejected by policy": [State.STORED, State.REJECTED],
    "refused by the upstream": [State.STORED, State.INSPECTED, State.REJECTED],
    "given up": [State.STORED, State.INSPECTED, State.FAILED],
    "audited": [State.RELAYED, State.AUDITED],
    "flagged": [State.RELAYED, State.FLAGGED],
}


def upload_in(state: State) -> Upload:
    return Upload(
        id="0",
        subject="alice",
        request_id="r",
        delivery=Delivery.EXTERNAL,
        target=Target("POST", "/v1/channels/1/messages"),
        history=begin(NOW, state, NOW),
        files=(),
        terms=Terms(),
    )


@pytest.mark.parametrize("states", PATHS.values(), ids=PATHS)
def test_an_upload_goes_its_way_to_an_end(states: list[State]) -> None:
    upload = upload_in(states[0])
    for state in states[1:]:
        assert not is_end(upload.state)
        upload = advance(upload, state, NOW)
    assert is_end(upload.state)
    assert [change.state for change in upload.history] == [State.RECEIVING, *states]


@pytest.mark.parametrize("state", [state for state in State if is_end(state)])
def test_nothing_follows_an_end(state: State) -> None:
    upload = next(advance_along(states) for states in ALL_WAYS if states[-1] is state)
    for other in State:
        with pytest.raises(IllegalTransition):
            advance(upload, other, NOW)


def test_an_upload_cannot_be_registered_before_it_was_inspected() -> None:
    with pytest.raises(IllegalTransition, match="stored cannot become registered"):
        advance(upload_in(State.STORED), State.REGISTERED, NOW)


@pytest.mark.parametrize("before", [State.STORED, State.INSPECTED])
def test_reopened_upload_resumes_and_supersedes_its_end(
    before: State,
) -> None:
    attempt = Attempt(count=20, first_at=NOW, unknown=True, settling=15)
    way = [State.STORED] if before is State.STORED else [State.STORED, State.INSPECTED]
    failed = advance_along([*way, State.FAILED])
    failed = replace(failed, attempt=attempt, fault=Fault("slug", "detail"))
    again = reopen(failed, NOW)
    assert again.state is before
    assert again.fault is None
    # What may have reached the upstream is looked for all the same.
    assert again.attempt == replace(attempt, count=0)
    assert supersedes(again, failed)
    assert not supersedes(advance_along([State.STORED]), failed)


def test_retry_of_a_failure_before_the_first_attempt_has_no_attempt() -> None:
    assert reopen(advance_along([State.STORED, State.FAILED]), NOW).attempt is None


@pytest.mark.parametrize("states", [[State.STORED], [State.STORED, State.REJECTED]])
def test_nothing_else_is_resumed(states: list[State]) -> None:
    with pytest.raises(IllegalTransition):
        reopen(advance_along(states), NOW)


def test_an_upload_with_a_removed_file_is_not_resumed() -> None:
    failed = advance_along([State.STORED, State.INSPECTED, State.FAILED])
    with pytest.raises(IllegalTransition, match="removed"):
        reopen(replace(failed, removed=Removed(NOW, Cause.SUBJECT)), NOW)


@pytest.mark.parametrize("states", [[State.RELAYED], [State.STORED, State.INSPECTED]])
def test_a_fence_is_final(states: list[State]) -> None:
    pending = advance_along(states)
    assert not supersedes(pending, abandoned(new_id(), NOW))


def test_a_relay_that_was_lost_is_not_sent_again() -> None:
    lost = advance(advance_along([State.RELAYED]), State.FAILED, NOW)
    with pytest.raises(IllegalTransition):
        reopen(lost, NOW)


def test_a_record_reads_back_as_it_was_written() -> None:
    upload = advance(upload_in(State.STORED), State.REJECTED, NOW, Fault("slug", "detail"))
    assert from_json(to_json(upload)) == upload


ALL_WAYS = [*PATHS.values(), [State.ABORTED]]


def advance_along(states: list[State]) -> Upload:
    upload = upload_in(states[0])
    for state in states[1:]:
        upload = advance(upload, state, NOW)
    return upload


def test_records_of_earlier_and_later_versions_are_read() -> None:
    pieces = (Piece(6000, bytes(range(256))),)
    file = File(
        name="a.doc", original_name="a.doc", declared_type=None, size=9000, head=b"\xd0\xcf",
        pieces=pieces,
    )  # fmt: skip
    upload = replace(upload_in(State.RELAYED), files=(file,))
    assert unpack(pack(upload)) == from_json(to_json(upload)) == upload
    document = msgspec.msgpack.decode(pack(upload))
    del document["files"][0]["pieces"]
    document["files"][0]["anything"] = 1
    earlier = unpack(msgspec.msgpack.encode(document))
    assert earlier.files == (replace(file, pieces=()),)


def test_the_time_for_retries_starts_again_and_the_message_is_searched_from_the_start() -> None:
    attempt = Attempt(count=20, first_at=NOW, unknown=True)
    failed = replace(advance_along(PATHS["given up"]), attempt=attempt)
    later = NOW + timedelta(days=3)
    again = reopen(failed, later)
    assert again.attempt == Attempt(count=0, first_at=later, unknown=True)
    assert again.taken_at == NOW
