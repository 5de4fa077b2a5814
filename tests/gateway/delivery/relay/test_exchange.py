"""One relay, driven event by event: what client and upstream receive, and what is recorded."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from gateway.delivery.relay.phase import Event, Phase
from gateway.delivery.relay.record import ANSWER_LIMIT
from gateway.errors import (
    AuthorizationEnded,
    BodyTimeout,
    FileTooLarge,
    RecordNotKept,
    UploadAborted,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.moves import IllegalMoveError
from gateway.records.relay_batch import not_kept
from gateway.uploads.lifecycle import Step
from tests.gateway.delivery.relay.stage import BODY, CHUNKED_HEAD, FAR, HEAD, Stage

Staged = Callable[..., Stage]
HALF = len(BODY) // 2


@pytest.fixture
def staged() -> Iterator[Staged]:
    with ExitStack() as stack:

        def make(**options: object) -> Stage:
            stage = Stage(**options)  # type: ignore[arg-type] # checked by the test itself
            stack.callback(stage.close)
            return stage

        yield make


@pytest.fixture
def stage(staged: Staged) -> Stage:
    """An upload whose body is awaited, on a connection that was idle."""
    stage = staged()
    stage.do(stage.exchange.begin)
    return stage


def send(stage: Stage, data: bytes = BODY) -> bytes:
    return stage.do(lambda: stage.exchange.client_sends(data))


def fail_by_clock(stage: Stage) -> Exception:
    """Let an age pass; what the client is told then."""
    stage.do(lambda: stage.exchange.look(time.monotonic() + FAR))
    (error,) = stage.client.refusals
    return error


def test_an_upload_goes_through_as_it_came(stage: Stage) -> None:
    assert send(stage, BODY + b"next request") == b"next request"
    assert stage.line.written == HEAD + BODY
    stage.answer(201)
    assert not stage.client.answers  # before its record is durable
    stage.keep()
    assert stage.client.answers == [(201, b"{}", True)]
    assert stage.workers.tasks == [(Step.AUDIT, stage.book.asked[0].id)]
    assert stage.line.ended == [True]
    assert not len(stage.under_way)


def test_an_answer_that_is_not_plain_goes_through_as_well(stage: Stage) -> None:
    send(stage)
    stage.answer_in_stream(201, b"{}")
    stage.keep()
    assert stage.client.answers == [(201, b"{}", True)]


def test_a_connection_that_was_idle_for_too_long_is_replaced(stage: Stage) -> None:
    """As long as nothing was sent by it; from then on the upload may have been taken."""
    stage.do(lambda: stage.exchange.upstream_lost("gone"))
    assert (stage.exchange.phase, stage.client.heard) == (Phase.CONNECTING, ["pause"])
    stage.connect()
    assert not send(stage)
    assert stage.line.written == HEAD + BODY
    stage.do(lambda: stage.exchange.upstream_lost("gone"))
    (error,) = stage.client.refusals
    assert isinstance(error, UpstreamUnavailable)
    assert error.outcome_unknown


def test_a_new_connection_that_is_lost_is_not_replaced(staged: Staged) -> None:
    stage = staged(idle=False)
    stage.do(stage.exchange.begin)
    stage.connect()
    stage.do(lambda: stage.exchange.upstream_lost("gone"))
    (error,) = stage.client.refusals
    assert isinstance(error, UpstreamUnavailable)
    assert not error.outcome_unknown


def test_bytes_that_arrive_before_the_upstream_is_reached_are_sent_then(staged: Staged) -> None:
    stage = staged(idle=False)
    stage.do(stage.exchange.begin)
    assert stage.client.heard == ["pause"]
    send(stage, BODY[:HALF])
    stage.connect()
    assert stage.line.written == HEAD + BODY[:HALF]
    assert stage.client.heard == ["pause", "resume"]
    send(stage, BODY[HALF:])
    assert stage.line.written == HEAD + BODY
    assert stage.exchange.phase is Phase.AWAITING


def test_nothing_is_sent_before_the_body_begins(stage: Stage) -> None:
    assert stage.line.written == b""


def test_a_body_in_chunks_is_sent_in_chunks(staged: Staged) -> None:
    stage = staged(length=None)
    stage.do(stage.exchange.begin)
    send(stage, b"abc")
    send(stage, b"x" * 20)
    stage.do(stage.exchange.end_of_body)
    assert stage.line.written == (
        CHUNKED_HEAD + b"3\r\nabc\r\n" + b"14\r\n" + b"x" * 20 + b"\r\n" + b"0\r\n\r\n"
    )
    assert stage.exchange.received == 23
    assert stage.exchange.phase is Phase.AWAITING


def test_a_body_without_a_chunk_is_sent_as_one(staged: Staged) -> None:
    stage = staged(length=None, idle=False)
    stage.do(stage.exchange.begin)
    stage.do(stage.exchange.end_of_body)
    stage.connect()
    assert stage.line.written == CHUNKED_HEAD + b"0\r\n\r\n"
    assert stage.exchange.phase is Phase.AWAITING


def test_the_end_of_a_body_of_known_length_is_its_last_byte(stage: Stage) -> None:
    stage.do(stage.exchange.end_of_body)
    assert stage.exchange.phase is Phase.RECEIVING
    send(stage)
    stage.do(stage.exchange.end_of_body)
    assert stage.line.written == HEAD + BODY


def test_the_end_of_a_body_after_its_answer_is_not_sent(staged: Staged) -> None:
    stage = staged(length=None)
    stage.do(stage.exchange.begin)
    send(stage, b"abc")
    stage.answer(403)
    stage.do(stage.exchange.end_of_body)
    assert stage.line.written == CHUNKED_HEAD + b"3\r\nabc\r\n"
    assert stage.exchange.phase is Phase.OVER


def test_an_answer_that_was_given_is_final(stage: Stage) -> None:
    send(stage)
    stage.answer(403)
    stage.do(lambda: stage.exchange.upstream_lost("gone"))
    stage.do(stage.exchange.close)
    assert stage.client.refusals == []
    assert stage.client.answers == [(403, b"{}", True)]
    assert stage.line.ended == [False]


def test_an_answer_that_breaks_off_leaves_the_outcome_unknown(stage: Stage) -> None:
    send(stage)
    answering = stage.begin_answer(200, 4)
    stage.do(lambda: answering.feed_data(b"ab"))
    stage.break_off()
    (error,) = stage.client.refusals
    assert isinstance(error, UpstreamUnavailable)
    assert error.outcome_unknown
    assert not stage.book.asked


def test_an_error_from_the_upstream_is_not_recorded(stage: Stage) -> None:
    send(stage)
    stage.answer(403)
    assert stage.client.answers == [(403, b"{}", True)]
    assert not stage.book.asked
    assert stage.line.ended == [False]  # who refuses a body may close its connection


def test_an_answer_in_pieces_is_given_whole(stage: Stage) -> None:
    send(stage)
    answering = stage.begin_answer(200, 4)
    assert stage.exchange.phase is Phase.HOLDING
    stage.do(lambda: answering.feed_data(b"ab"))
    stage.do(lambda: answering.feed_data(b"cd"))
    stage.keep()
    assert stage.client.answers == [(200, b"abcd", True)]


def test_an_answer_that_is_too_large_to_hold_is_streamed(stage: Stage) -> None:
    send(stage)
    size = ANSWER_LIMIT + 100
    answering = stage.begin_answer(200, size)
    stage.do(lambda: answering.feed_data(b"x" * (size - 10)))
    stage.keep()
    assert stage.client.answers == [(200, b"x" * (size - 10), False)]
    assert stage.book.asked[0].ambiguities == ("the upstream's answer is too large to be audited",)
    assert not stage.line.ended
    stage.do(lambda: answering.feed_data(b"x" * 10))
    assert stage.client.rest is not None
    stage.do(stage.client.rest.read_nowait)
    stage.do(stage.exchange.close)
    assert stage.line.ended == [True]


def test_an_unread_rest_of_an_answer_ends_its_connection(stage: Stage) -> None:
    send(stage)
    size = ANSWER_LIMIT + 100
    answering = stage.begin_answer(403, size)
    stage.do(lambda: answering.feed_data(b"x" * (size - 10)))
    stage.do(stage.exchange.close)
    assert stage.line.ended == [False]


def test_no_more_of_a_body_is_sent_after_an_early_answer(stage: Stage) -> None:
    send(stage, BODY[:HALF])
    stage.answer(201)
    send(stage, BODY[HALF : HALF + 1])  # while the record is being kept
    stage.keep()
    send(stage, BODY[HALF + 1 :])
    assert stage.line.written == HEAD + BODY[: HALF + 1]
    assert "the upstream answered before the end of the body" in stage.book.asked[0].ambiguities
    assert stage.line.ended == [False]


def test_a_streamed_early_answer_makes_no_client_wait(stage: Stage) -> None:
    send(stage, BODY[:HALF])
    stage.do(stage.exchange.upstream_full)
    answering = stage.begin_answer(403, ANSWER_LIMIT + 100)
    stage.do(lambda: answering.feed_data(b"x" * (ANSWER_LIMIT + 10)))
    assert stage.exchange.phase is Phase.ANSWERING
    assert not stage.client.waits  # who sends all of its body first would never read it
    stage.do(stage.exchange.upstream_full)
    assert not stage.client.waits


def test_an_upstream_that_is_full_at_once_makes_the_client_wait(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(idle=False)
    stage.do(stage.exchange.begin)
    send(stage, BODY[:HALF])
    monkeypatch.setattr(stage.line, "write", lambda _: stage.exchange.upstream_full())
    stage.connect()
    assert stage.exchange.phase is Phase.BLOCKED
    assert stage.client.waits


def test_a_full_upstream_makes_the_client_wait(stage: Stage) -> None:
    send(stage, BODY[:HALF])
    stage.do(stage.exchange.upstream_full)
    assert stage.client.heard == ["pause"]
    stage.do(stage.exchange.upstream_drained)
    assert stage.client.heard == ["pause", "resume"]


def test_the_clock_of_a_body_does_not_run_while_the_client_is_made_to_wait(stage: Stage) -> None:
    send(stage, BODY[:HALF])
    stage.do(stage.exchange.upstream_full)
    assert isinstance(fail_by_clock(stage), UpstreamTimeout)


def test_timeout_names_the_side_that_must_act(staged: Staged) -> None:
    connecting = staged(idle=False)
    connecting.do(connecting.exchange.begin)
    error = fail_by_clock(connecting)
    assert isinstance(error, UpstreamTimeout)
    assert not error.outcome_unknown  # not a byte was sent

    receiving = staged()
    receiving.do(receiving.exchange.begin)
    send(receiving, BODY[:HALF])
    assert isinstance(fail_by_clock(receiving), BodyTimeout)

    awaiting = staged()
    awaiting.do(awaiting.exchange.begin)
    send(awaiting)
    error = fail_by_clock(awaiting)
    assert isinstance(error, UpstreamTimeout)
    assert error.outcome_unknown

    holding = staged()
    holding.do(holding.exchange.begin)
    send(holding)
    holding.begin_answer(200, 4)
    error = fail_by_clock(holding)
    assert isinstance(error, UpstreamUnavailable)
    assert error.outcome_unknown

    keeping = staged()
    keeping.do(keeping.exchange.begin)
    send(keeping)
    keeping.answer(200)
    assert isinstance(fail_by_clock(keeping), RecordNotKept)
    for stage in (connecting, receiving, awaiting, holding, keeping):
        assert stage.line.ended == ([] if stage is connecting else [False])
        assert not len(stage.under_way)


def test_a_slow_client_is_answered_that_it_is_too_slow(stage: Stage) -> None:
    send(stage, BODY[:1])
    now = time.monotonic()
    for second in range(0, 50, 10):
        stage.do(lambda at=now + second: stage.exchange.look(at))  # type: ignore[misc]
    (error,) = stage.client.refusals
    assert str(error) == "the body was sent too slowly"


def test_a_body_that_outlives_its_token_is_cut(staged: Staged) -> None:
    stage = staged(until=time.time() - 1)
    stage.do(stage.exchange.begin)
    send(stage, BODY[:HALF])
    stage.do(lambda: stage.exchange.look(time.monotonic()))
    assert isinstance(stage.client.refusals[0], AuthorizationEnded)


def test_a_body_that_is_whole_outlives_its_token(staged: Staged) -> None:
    stage = staged(until=time.time() - 1)
    stage.do(stage.exchange.begin)
    send(stage)
    stage.do(lambda: stage.exchange.look(time.monotonic()))
    assert not stage.client.refusals


def test_a_record_that_comes_too_late_is_audited_all_the_same(stage: Stage) -> None:
    send(stage)
    stage.answer(200)
    assert isinstance(fail_by_clock(stage), RecordNotKept)
    stage.keep()
    assert len(stage.workers.tasks) == 1
    assert not stage.client.answers


def test_a_record_that_cannot_be_kept_is_no_success(stage: Stage) -> None:
    send(stage)
    stage.answer(200)
    stage.keep(not_kept())
    assert isinstance(stage.client.refusals[0], RecordNotKept)
    assert not stage.workers.tasks


def test_a_record_that_replaces_another_has_no_time_limit(staged: Staged) -> None:
    stage = staged(keyed=True)
    stage.do(stage.exchange.begin)
    send(stage)
    stage.answer(200)
    stage.do(lambda: stage.exchange.look(time.monotonic() + FAR))
    assert not stage.client.refusals
    completed = stage.book.completed
    assert completed is not None
    stage.do(lambda: completed.set_result(None))
    assert stage.client.answers == [(200, b"{}", True)]
    assert len(stage.workers.tasks) == 1


def test_half_a_body_is_aborted_with_its_client(stage: Stage) -> None:
    send(stage, BODY[:HALF])
    stage.do(stage.exchange.client_lost)
    assert isinstance(stage.client.refusals[0], UploadAborted)
    assert stage.line.ended == [False]


@pytest.mark.parametrize("keyed", [False, True], ids=["no key", "keyed"])
@pytest.mark.parametrize("begun", [False, True], ids=["KEEPING", "HOLDING"])
def test_a_clients_fault_after_an_early_answer_does_not_affect_its_record(
    staged: Staged, keyed: bool, begun: bool
) -> None:
    stage = staged(length=None, until=time.time() - 1, keyed=keyed)
    stage.do(stage.exchange.begin)
    send(stage, BODY[:HALF])
    answering = stage.begin_answer(200, 2) if begun else None
    if answering is None:
        stage.answer(200)
    stage.do(lambda: stage.exchange.client_fails(FileTooLarge("too large")))
    stage.do(lambda: stage.exchange.look(time.monotonic()))
    if answering is not None:
        stage.do(lambda: answering.feed_data(b"{}"))
    if (completed := stage.book.completed) is not None:
        stage.do(lambda: completed.set_result(None))
    else:
        stage.keep()
    assert stage.client.answers == [(200, b"{}", True)]
    assert len(stage.workers.tasks) == 1


def test_a_complete_body_no_longer_needs_its_client(stage: Stage) -> None:
    send(stage)
    stage.do(stage.exchange.client_lost)
    stage.answer(200)
    stage.keep()
    assert stage.client.answers == [(200, b"{}", True)]


def test_a_client_that_disconnects_ends_the_dialling(staged: Staged) -> None:
    stage = staged(idle=False)
    stage.do(stage.exchange.begin)
    stage.do(stage.exchange.client_lost)
    assert stage.lines.connected is not None
    assert stage.lines.connected.cancelled()


def test_an_upstream_that_cannot_be_reached_has_done_nothing(staged: Staged) -> None:
    stage = staged(idle=False)
    stage.do(stage.exchange.begin)
    send(stage)
    stage.connect(UpstreamUnavailable("ChatKitty cannot be reached"))
    (error,) = stage.client.refusals
    assert isinstance(error, UpstreamUnavailable)
    assert not error.outcome_unknown


@pytest.mark.parametrize("sent", [b"", BODY[:HALF], BODY])
def test_an_upstream_that_disconnects_may_have_acted_on_what_was_sent(
    staged: Staged, sent: bytes
) -> None:
    stage = staged(idle=False)
    stage.do(stage.exchange.begin)
    stage.connect()
    send(stage, sent)
    stage.do(lambda: stage.exchange.upstream_lost("gone"))
    (error,) = stage.client.refusals
    assert isinstance(error, UpstreamUnavailable)
    assert error.outcome_unknown is bool(sent)


def test_a_fault_of_the_gateway_reaches_the_front(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(stage.book, "keep_relayed", broken)
    send(stage)
    stage.answer(200)
    assert isinstance(stage.client.refusals[0], ZeroDivisionError)


def test_impossible_events_change_nothing(stage: Stage) -> None:
    for impossible in (stage.exchange.begin, stage.exchange.upstream_drained):
        with pytest.raises(IllegalMoveError, match="while RECEIVING"):
            stage.do(impossible)
        assert stage.exchange.phase is Phase.RECEIVING
    send(stage)
    stage.answer(200)
    stage.keep()
    with pytest.raises(IllegalMoveError, match=f"{Event.FULL.name} while OVER"):
        stage.do(stage.exchange.upstream_full)
