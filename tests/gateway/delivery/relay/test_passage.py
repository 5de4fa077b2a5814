"""A passed request, as its front, the upstream's connection and the clock drive it."""

import time
from collections.abc import Callable, Iterator

import pytest

from gateway.delivery.relay.passage import MOVES, Event, Phase
from gateway.errors import (
    BodyTimeout,
    UploadAborted,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tests.gateway.delivery.relay.passage_stage import FAR, HEAD, TIMEOUT, Stage

Staged = Callable[..., Stage]


@pytest.fixture
def staged() -> Iterator[Staged]:
    stages: list[Stage] = []

    def make(**options: object) -> Stage:
        stages.append(Stage(**options))  # type: ignore[arg-type]
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


# --- the table -----------------------------------------------------------------------------------


def test_nothing_is_sent_again_once_an_answer_has_begun() -> None:
    stale = [phase for phase in Phase if Event.STALE in MOVES[phase]]
    assert stale == [Phase.SENDING, Phase.AWAITING]


# --- the answer ----------------------------------------------------------------------------------


def test_a_whole_answer_frees_the_connection(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    assert stage.line.written == HEAD
    assert len(stage.under_way) == 1
    stage.answer(200)
    assert (stage.client.statuses, stage.client.body) == ([200], b"{}")
    assert stage.client.ends == ["whole"]
    assert stage.line.ended == [True]
    assert len(stage.under_way) == 0


def test_an_answer_is_streamed_as_it_arrives(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.answer(200, None)
    assert (stage.client.statuses, stage.client.body) == ([200], b"")
    stage.more(b"a")
    stage.more(b"b")
    assert (stage.client.body, stage.client.ends, stage.line.ended) == (b"ab", [], [])
    stage.do(stage.passage.upstream_ends)
    assert (stage.client.ends, stage.line.ended) == (["finished"], [True])


def test_an_answer_may_end_with_its_head(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.answer_without_body()
    assert (stage.client.body, stage.client.ends) == (b"", ["whole"])
    assert stage.line.ended == [True]


@pytest.mark.parametrize("answered", [True, False])
def test_a_front_may_end_it(staged: Staged, answered: bool) -> None:
    stage = staged()
    stage.begin()
    stage.client.on_answer = stage.passage.close
    stage.answer(200, None) if answered else stage.do(stage.passage.close)
    assert (stage.passage.phase, stage.line.ended) == (Phase.OVER, [False])
    assert stage.line.streamed is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_connection_knows_whether_a_body_follows(staged: Staged, method: str) -> None:
    stage = staged(method=method)
    stage.begin()
    assert stage.line.bodiless is (method == "HEAD")


def test_a_client_that_does_not_keep_up_holds_the_upstream_back(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.do(stage.passage.client_full)  # of an answer before: it has nothing to hold back yet
    stage.do(stage.passage.client_drained)
    assert not stage.line.paused
    stage.answer(200, None)
    stage.do(stage.passage.client_full)
    assert (stage.passage.phase, stage.line.paused) == (Phase.HELD, True)
    stage.more(b"what had come already")
    stage.do(lambda: stage.passage.look(time.monotonic() + FAR))
    assert stage.client.ends == []  # its client's connection has a clock of its own
    stage.do(stage.passage.client_drained)
    assert (stage.passage.phase, stage.line.paused) == (Phase.ANSWERING, False)


def test_an_answer_that_breaks_off_is_cut(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.answer(200, None)
    stage.do(stage.passage.upstream_breaks)
    assert (stage.client.ends, stage.line.ended) == (["cut: ChatKitty's answer broke off"], [False])


# --- the body ------------------------------------------------------------------------------------


def test_a_body_is_passed_on_as_it_arrives_after_its_head(staged: Staged) -> None:
    stage = staged(method="POST", length=4)
    stage.begin()
    assert stage.line.written == b""
    assert stage.do(lambda: stage.passage.client_sends(b"ab")) == b""
    assert stage.line.written == HEAD + b"ab"
    assert stage.do(lambda: stage.passage.client_sends(b"cdGET")) == b"GET"
    assert (stage.line.written, stage.passage.phase) == (HEAD + b"abcd", Phase.AWAITING)
    assert stage.do(lambda: stage.passage.client_sends(b"GET")) == b"GET"
    stage.answer(200)
    assert stage.line.ended == [True]


def test_bytes_that_arrive_before_the_connection_wait_for_it(staged: Staged) -> None:
    stage = staged(method="POST", length=4, idle=False)
    stage.begin()
    assert stage.client.heard == ["pause"]
    stage.do(lambda: stage.passage.client_sends(b"abcd"))
    stage.connect()
    assert stage.client.heard == ["pause", "resume"]
    assert (stage.line.written, stage.passage.phase) == (HEAD + b"abcd", Phase.AWAITING)


def test_a_part_of_it_may_come_before_there_is_a_connection(staged: Staged) -> None:
    stage = staged(method="POST", length=4, idle=False)
    stage.begin()
    stage.do(lambda: stage.passage.client_sends(b"ab"))
    stage.connect()
    assert (stage.line.written, stage.passage.phase) == (HEAD + b"ab", Phase.SENDING)


def test_a_slow_upstream_holds_the_client_back(staged: Staged) -> None:
    stage = staged(method="POST", length=4)
    stage.begin()
    stage.do(lambda: stage.passage.client_sends(b"ab"))
    stage.do(stage.passage.upstream_full)
    assert (stage.passage.phase, stage.client.heard) == (Phase.BLOCKED, ["pause"])
    stage.do(stage.passage.upstream_drained)
    assert (stage.passage.phase, stage.client.heard) == (Phase.SENDING, ["pause", "resume"])


def test_a_bodiless_request_may_fill_the_upstream_too(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.do(stage.passage.upstream_full)
    stage.do(stage.passage.upstream_drained)
    assert stage.passage.phase is Phase.AWAITING


def test_a_body_is_passed_on_while_its_answer_arrives(staged: Staged) -> None:
    stage = staged(method="POST", length=4)
    stage.begin()
    stage.do(lambda: stage.passage.client_sends(b"ab"))
    stage.answer(200, None)
    stage.do(stage.passage.upstream_full)
    stage.do(stage.passage.upstream_drained)
    stage.do(lambda: stage.passage.client_sends(b"cd"))
    assert (stage.line.written, stage.passage.phase) == (HEAD + b"abcd", Phase.ANSWERING)
    stage.do(stage.passage.upstream_ends)
    assert stage.line.ended == [True]


@pytest.mark.parametrize("status", [200, 403])
def test_an_early_answer_closes_the_connection(staged: Staged, status: int) -> None:
    stage = staged(method="POST", length=4)
    stage.begin()
    stage.do(lambda: stage.passage.client_sends(b"ab"))
    stage.answer(status)
    assert (stage.client.ends, stage.line.ended) == (["whole"], [False])
    assert stage.do(lambda: stage.passage.client_sends(b"cdGET")) == b"GET"
    assert stage.line.written == HEAD + b"ab"


def test_a_refused_body_closes_the_connection_even_if_it_was_sent(staged: Staged) -> None:
    stage = staged(method="POST", length=2)
    stage.begin()
    stage.do(lambda: stage.passage.client_sends(b"ab"))
    stage.answer(403)
    assert stage.line.ended == [False]


# --- what fails ----------------------------------------------------------------------------------


def problem(stage: Stage) -> Exception:
    (error,) = stage.client.ends
    assert isinstance(error, Exception)
    return error


def test_a_quota_refuses_before_anything_is_sent(staged: Staged) -> None:
    stage = staged()
    stage.do(lambda: stage.passage.fail(UpstreamTimeout("no")))
    assert isinstance(problem(stage), UpstreamTimeout)
    stage.do(lambda: stage.passage.fail(UpstreamTimeout("again")))
    stage.do(stage.passage.close)
    assert len(stage.client.ends) == 1


@pytest.mark.parametrize(
    ("method", "unknown"), [("GET", False), ("HEAD", False), ("DELETE", True), ("POST", True)]
)
def test_only_what_may_have_changed_something_is_in_doubt(
    staged: Staged, method: str, unknown: bool
) -> None:
    stage = staged(method=method, idle=False)
    stage.begin()
    stage.connect()
    stage.do(lambda: stage.passage.upstream_lost("gone"))
    error = problem(stage)
    assert isinstance(error, UpstreamUnavailable)
    assert (str(error), error.outcome_unknown) == ("gone", unknown)


def test_an_upstream_that_is_not_reached_did_nothing(staged: Staged) -> None:
    stage = staged(method="DELETE", idle=False)
    stage.begin()
    stage.connect(UpstreamUnavailable("unreachable"))
    error = problem(stage)
    assert isinstance(error, UpstreamError)
    assert not error.outcome_unknown


def test_a_client_that_leaves_ends_it(staged: Staged) -> None:
    stage = staged(idle=False)
    stage.begin()
    stage.do(stage.passage.client_lost)
    assert isinstance(problem(stage), UploadAborted)
    assert stage.pool.connected is not None
    assert stage.pool.connected.cancelled()
    assert len(stage.under_way) == 0


# --- a connection that was kept too long ---------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_a_stale_connection_is_replaced_once(staged: Staged, method: str) -> None:
    stage = staged(method=method)
    stage.begin()
    stage.do(lambda: stage.passage.upstream_lost("gone"))
    stage.connect()
    stale, new = stage.pool.lines
    assert (stale.ended, new.written) == ([False], HEAD)
    stage.do(lambda: stage.passage.upstream_lost("gone"))
    error = problem(stage)
    assert isinstance(error, UpstreamUnavailable)
    assert error.outcome_unknown is (method in {"PUT", "DELETE"})


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_connection_that_is_lost_before_anything_was_sent_is_replaced(
    staged: Staged, method: str
) -> None:
    stage = staged(method=method, length=4)
    stage.begin()
    stage.do(lambda: stage.passage.upstream_lost("gone"))
    assert stage.passage.phase is Phase.CONNECTING
    stage.connect()
    stage.do(lambda: stage.passage.client_sends(b"abcd"))
    assert stage.line.written == HEAD + b"abcd"


def test_a_second_try_that_cannot_begin_leaves_the_first_in_doubt(staged: Staged) -> None:
    stage = staged(method="DELETE")
    stage.begin()
    stage.do(lambda: stage.passage.upstream_lost("gone"))
    stage.do(lambda: stage.passage.look(time.monotonic() + TIMEOUT + 1))
    error = problem(stage)
    assert isinstance(error, UpstreamTimeout)
    assert error.outcome_unknown


def test_a_farewell_on_an_idle_connection_is_not_an_answer(staged: Staged) -> None:
    """RFC 9110 section 15.5.9: the 408 of a connection that was idle for too long."""
    stage = staged()
    stage.begin()
    stage.answer(408)
    stage.connect()
    stage.answer(408)
    assert (stage.client.statuses, stage.client.ends) == ([408], ["whole"])


@pytest.mark.parametrize(
    "options",
    [
        {"method": "POST"},
        {"method": "PATCH"},
        {"method": "PUT", "length": 2},
        {"method": "GET", "length": 2},
    ],
)
def test_unrepeatable_requests_are_sent_once(staged: Staged, options: dict[str, object]) -> None:
    stage = staged(**options)
    stage.begin()
    stage.do(lambda: stage.passage.client_sends(b"ab"[: stage.passage.left]))
    stage.do(lambda: stage.passage.upstream_lost("gone"))
    assert isinstance(problem(stage), UpstreamUnavailable)
    assert len(stage.pool.lines) == 1


def test_half_an_answer_is_not_asked_for_again(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.line.heard = True
    stage.do(lambda: stage.passage.upstream_lost("not valid"))
    assert isinstance(problem(stage), UpstreamUnavailable)


# --- the clock -----------------------------------------------------------------------------------


def test_each_side_is_waited_for_as_long_as_it_may_be_silent(staged: Staged) -> None:
    stage = staged(method="POST", length=4)
    stage.do(lambda: stage.passage.look(time.monotonic() + FAR))  # its front has not begun
    stage.begin()
    stage.do(lambda: stage.passage.look(time.monotonic() + TIMEOUT - 1))
    stage.do(lambda: stage.passage.look(time.monotonic() + TIMEOUT + 1))
    assert isinstance(problem(stage), BodyTimeout)


def test_a_body_must_keep_up_with_the_floor(staged: Staged) -> None:
    stage = staged(method="POST", length=4000)
    stage.begin()
    now = time.monotonic()
    for at in range(60):
        stage.do(lambda: stage.passage.client_sends(b"a" if stage.passage.left else b""))
        stage.passage._received_at = now + at
        stage.do(lambda at=at: stage.passage.look(now + at * TIMEOUT / 60))  # type: ignore[misc]
    assert stage.client.ends == []
    stage.passage._received_at = now + 3 * TIMEOUT
    stage.do(lambda: stage.passage.look(now + 3 * TIMEOUT))
    assert isinstance(problem(stage), BodyTimeout)


def test_a_silent_upstream_is_abandoned(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.do(lambda: stage.passage.look(time.monotonic() + TIMEOUT - 1))
    stage.do(lambda: stage.passage.look(time.monotonic() + TIMEOUT + 1))
    assert isinstance(problem(stage), UpstreamTimeout)


def test_an_answer_may_take_long_if_it_is_never_silent_for_long(staged: Staged) -> None:
    stage = staged()
    stage.begin()
    stage.answer(200, None)
    for _ in range(3):
        stage.passage._acted_at -= TIMEOUT - 1  # as if it had come that long ago
        stage.do(lambda: stage.passage.look(time.monotonic()))
        stage.more(b"event")
    stage.do(lambda: stage.passage.look(time.monotonic() + TIMEOUT + 1))
    assert stage.client.ends == ["cut: ChatKitty's answer broke off"]
