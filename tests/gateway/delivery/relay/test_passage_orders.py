"""A passage under every order of events: its client is told once, and nothing is sent twice."""

import time
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gateway.delivery.relay.passage import MOVES, TO_ACT, Event, Phase
from gateway.delivery.relay.phase import Side
from gateway.errors import BodyTimeout, UpstreamError, UpstreamUnavailable
from tests.examples import examples
from tests.gateway.delivery.relay.passage_stage import FAR, HEAD, Stage

BODY = b"0123456789"
ON_ITS_WAY = (Phase.SENDING, Phase.BLOCKED, Phase.AWAITING)
ANSWERED = (Phase.ANSWERING, Phase.HELD)


def while_in(*phases: Phase) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return precondition(lambda self: self.passage.phase in phases)


class Orders(RuleBasedStateMachine):
    """The world around one passage, and what it may do when."""

    @initialize(
        idle=st.booleans(),
        method=st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
        length=st.sampled_from([0, 0, len(BODY)]),
        begun=st.booleans(),
    )
    def admit(self, idle: bool, method: str, length: int, begun: bool) -> None:
        self.stage = Stage(method=method, length=length, idle=idle)
        self.passage = self.stage.passage
        self.method, self.length, self.idle = method, length, idle
        self.at = 0
        self.full = self.streaming = self.quiet = False
        self.answer_body = b""
        if begun:
            self.begin()

    # --- the client ------------------------------------------------------------------------------

    @while_in(Phase.NEW)
    @rule()
    def begin(self) -> None:
        self.stage.begin()

    @precondition(lambda self: self.passage.phase is not Phase.OVER)
    @rule(size=st.integers(1, len(BODY)), behind=st.sampled_from([b"", b"GET"]))
    def send(self, size: int, behind: bytes) -> None:
        data = BODY[self.at : min(self.at + size, self.length)]
        self.at += len(data)
        more = behind if self.at == self.length else b""
        assert self.stage.do(lambda: self.passage.client_sends(data + more)) == more

    @rule()
    def lose_client(self) -> None:
        self.quiet = self.quiet or self.passage.phase is Phase.OVER
        self.stage.do(self.passage.client_lost)
        assert self.passage.phase is Phase.OVER

    @rule(full=st.booleans())
    def read_answer(self, full: bool) -> None:
        passage, before = self.passage, self.passage.phase
        self.stage.do(passage.client_full if full else passage.client_drained)
        if before in ANSWERED:
            assert passage.phase is (Phase.HELD if full else Phase.ANSWERING)
            assert self.stage.line.paused is full
        else:
            assert passage.phase is before

    @rule()
    def close(self) -> None:
        self.quiet = self.quiet or not self.stage.client.ends
        self.stage.do(self.passage.close)
        assert self.passage.phase is Phase.OVER

    # --- the upstream ----------------------------------------------------------------------------

    @while_in(Phase.CONNECTING)
    @rule(reached=st.booleans())
    def connect(self, reached: bool) -> None:
        self.full = False
        self.stage.connect(None if reached else UpstreamUnavailable("unreachable"))
        assert (self.passage.phase is not Phase.OVER) is reached

    @precondition(lambda self: not self.full)
    @while_in(*ON_ITS_WAY, *ANSWERED)
    @rule()
    def fill(self) -> None:
        self.full = True
        self.stage.do(self.passage.upstream_full)
        assert self.stage.client.heard[-1] == "pause"

    @precondition(lambda self: self.full)
    @while_in(*ON_ITS_WAY, *ANSWERED)
    @rule()
    def drain(self) -> None:
        self.full = False
        self.stage.do(self.passage.upstream_drained)
        assert self.stage.client.heard[-1] == "resume"

    @while_in(*ON_ITS_WAY)
    @rule(status=st.sampled_from([200, 302, 403, 408, 503]), whole=st.booleans())
    def answer(self, status: int, whole: bool) -> None:
        repeats = status == 408 and self.may_repeat()
        self.stage.answer(status, b"{}" if whole else None)
        if repeats:
            assert self.passage.phase is Phase.CONNECTING
            return
        assert self.stage.client.statuses == [status]
        self.answer_body = b"{}" if whole else b""

    @while_in(*ANSWERED)
    @rule(data=st.binary(min_size=1, max_size=5))
    def more(self, data: bytes) -> None:
        self.stage.more(data)
        self.answer_body += data

    @while_in(*ANSWERED)
    @rule()
    def end_answer(self) -> None:
        self.stage.do(self.passage.upstream_ends)
        assert self.stage.client.ends == ["finished"]
        assert self.stage.line.ended == [self.kept()]

    @while_in(*ANSWERED)
    @rule()
    def break_answer(self) -> None:
        self.stage.do(self.passage.upstream_breaks)
        assert self.stage.client.ends == ["cut: ChatKitty's answer broke off"]

    @while_in(*ON_ITS_WAY)
    @rule()
    def lose_upstream(self) -> None:
        repeats = self.may_repeat()
        self.stage.do(lambda: self.passage.upstream_lost("gone"))
        if repeats:
            assert self.passage.phase is Phase.CONNECTING
            return
        (error,) = self.stage.client.ends
        assert isinstance(error, UpstreamUnavailable)
        sent = any(line.written for line in self.stage.pool.lines)
        assert error.outcome_unknown is (sent and self.method in {"POST", "DELETE"})

    @rule()
    def wait(self) -> None:
        side, before = TO_ACT[self.passage.phase], self.passage.phase
        self.stage.do(lambda: self.passage.look(time.monotonic() + FAR))
        if side in {Side.CLIENT, Side.UPSTREAM}:
            (end,) = self.stage.client.ends
            expected = BodyTimeout if side is Side.CLIENT else UpstreamError
            assert isinstance(end, expected) or before is Phase.ANSWERING
        else:
            assert self.passage.phase is before

    # --- what holds always -----------------------------------------------------------------------

    def may_repeat(self) -> bool:
        if not self.idle or len(self.stage.pool.lines) > 1:
            return False
        if not self.stage.line.written:
            return self.passage.phase is Phase.SENDING
        return not self.length and self.method != "POST"

    def kept(self) -> bool:
        refused = bool(self.length) and self.stage.client.statuses[0] >= 400
        return self.at == self.length and not refused

    @invariant()
    def the_client_is_told_once(self) -> None:
        told = len(self.stage.client.ends)
        assert told <= 1
        assert self.passage.phase is not Phase.OVER or told == 1 or self.quiet
        assert self.stage.client.body == self.answer_body
        assert len(self.stage.client.statuses) <= 1

    @invariant()
    def the_upstream_has_each_byte_once(self) -> None:
        *stale, last = [line.written for line in self.stage.pool.lines] or [b""]
        assert stale in ([], [HEAD], [b""])
        assert (HEAD + BODY).startswith(last)
        if self.passage.phase is Phase.AWAITING:
            assert last == HEAD + BODY[: self.length]

    @invariant()
    def each_connection_is_ended_once(self) -> None:
        lines = self.stage.pool.lines
        over = self.passage.phase is Phase.OVER
        open_lines = [line for line in lines if not line.ended]
        assert all(len(line.ended) <= 1 for line in lines)
        assert len(open_lines) == (self.passage.phase in {*ON_ITS_WAY, *ANSWERED})
        assert len(self.stage.under_way) == (self.passage.phase is not Phase.NEW and not over)

    @invariant()
    def the_phase_is_in_the_table(self) -> None:
        assert self.passage.phase in MOVES
        assert Event.FAILED in MOVES[self.passage.phase] or self.passage.phase is Phase.OVER

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.stage.close()


TestOrders = Orders.TestCase
TestOrders.settings = settings(
    examples(150),
    stateful_step_count=12,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
