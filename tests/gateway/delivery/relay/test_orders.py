"""A relay under every order of events: its client always gets exactly one answer, a true one."""

import time
from collections.abc import Callable

import pytest
from aiohttp.http import HttpResponseParser
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gateway.delivery.relay.phase import MOVES, TO_ACT, Event, Phase, Side
from gateway.delivery.relay.record import ANSWER_LIMIT, SUCCESS
from gateway.errors import BodyTimeout, RecordNotKept, UpstreamError, UpstreamUnavailable
from gateway.moves import IllegalMoveError
from gateway.records.relay_batch import not_kept
from tests.examples import examples
from tests.gateway.delivery.relay.stage import BODY, CHUNKED_HEAD, FAR, HEAD, Stage

ON_ITS_WAY = (Phase.RECEIVING, Phase.BLOCKED, Phase.AWAITING)
WITH_UPSTREAM = (*ON_ITS_WAY, Phase.HOLDING, Phase.KEEPING)
LARGE = ANSWER_LIMIT + 100
CLOCKS = {Side.CLIENT: BodyTimeout, Side.UPSTREAM: UpstreamError, Side.LEDGER: RecordNotKept}


def while_in(*phases: Phase) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return precondition(lambda self: self.exchange.phase in phases)


class Orders(RuleBasedStateMachine):
    """The world around one exchange, and what it may do when."""

    @initialize(
        idle=st.booleans(),
        chunked=st.booleans(),
        keyed=st.booleans(),
        far=st.sampled_from([Phase.NEW, Phase.CONNECTING, Phase.AWAITING, Phase.KEEPING]),
    )
    def admit(self, idle: bool, chunked: bool, keyed: bool, far: Phase) -> None:
        """Some begin in the midst, since few orders lead there."""
        self.stage = Stage(idle=idle, length=None if chunked else len(BODY), keyed=keyed)
        self.exchange = self.stage.exchange
        self.chunked = chunked
        self.head = CHUNKED_HEAD if chunked else HEAD
        self.given = b""
        """What the exchange was given of the body, as it is to be sent on."""
        self.at = 0
        self.ended = self.full = self.lost = self.closed = self.kept = self.replaced = False
        self.status = 0
        self.answering: HttpResponseParser | None = None
        if far >= Phase.CONNECTING:
            self.begin()
        if far >= Phase.AWAITING:
            self.send(len(BODY))
            if chunked:
                self.end()
            if not idle:
                self.connect(reached=True)
        if far >= Phase.KEEPING:
            self.answer(200)

    # --- the client ------------------------------------------------------------------------------

    @while_in(Phase.NEW)
    @rule()
    def begin(self) -> None:
        self.stage.do(self.exchange.begin)

    @precondition(lambda self: not self.ended and not self.lost)
    @rule(size=st.integers(1, len(BODY)))
    def send(self, size: int) -> None:
        data = BODY[self.at : self.at + size]
        if not data:
            return
        if self.exchange.phase < Phase.ANSWERING:
            self.given += b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data
        self.at += len(data)
        assert self.stage.do(lambda: self.exchange.client_sends(data)) == b""
        self.ended = self.at == len(BODY) and not self.chunked

    @precondition(lambda self: self.chunked and not self.ended and not self.lost)
    @rule()
    def end(self) -> None:
        if self.exchange.phase < Phase.ANSWERING:
            self.given += b"0\r\n\r\n"
        self.stage.do(self.exchange.end_of_body)
        self.ended = True

    @precondition(lambda self: not self.lost)
    @rule()
    def lose_client(self) -> None:
        before = self.exchange.phase
        gives_up = not self.ended and before <= Phase.BLOCKED
        self.stage.do(self.exchange.client_lost)
        self.lost = True
        assert self.exchange.phase is (Phase.OVER if gives_up else before)

    @rule()
    def close(self) -> None:
        self.closed = self.closed or self.exchange.phase < Phase.ANSWERING
        self.stage.do(self.exchange.close)
        assert self.exchange.phase is Phase.OVER

    # --- the upstream ----------------------------------------------------------------------------

    @while_in(Phase.CONNECTING)
    @rule(reached=st.booleans())
    def connect(self, reached: bool) -> None:
        self.stage.connect(None if reached else UpstreamUnavailable("unreachable"))
        assert (self.exchange.phase is not Phase.OVER) is reached

    @precondition(lambda self: not self.full)
    @while_in(*WITH_UPSTREAM, Phase.ANSWERING)
    @rule()
    def fill(self) -> None:
        self.full = True
        self.stage.do(self.exchange.upstream_full)

    @precondition(lambda self: self.full)
    @while_in(*WITH_UPSTREAM, Phase.ANSWERING)
    @rule()
    def drain(self) -> None:
        self.full = False
        self.stage.do(self.exchange.upstream_drained)

    @while_in(*ON_ITS_WAY)
    @rule(status=st.sampled_from([200, 201, 302, 403, 503]))
    def answer(self, status: int) -> None:
        self.status = status
        self.stage.answer(status)

    @while_in(*ON_ITS_WAY)
    @rule(status=st.sampled_from([200, 403]), length=st.sampled_from([2, LARGE]))
    def begin_answer(self, status: int, length: int) -> None:
        self.status = status
        self.answering = self.stage.begin_answer(status, length)
        if length == LARGE:
            self.more(LARGE - 2)

    @while_in(Phase.HOLDING, Phase.ANSWERING)
    @rule()
    def end_answer(self) -> None:
        self.more(2)
        self.answering = None

    def more(self, size: int) -> None:
        if (answering := self.answering) is not None:
            self.stage.do(lambda: answering.feed_data(b"x" * size))

    @while_in(Phase.ANSWERING)
    @rule()
    def read_rest(self) -> None:
        rest = self.stage.client.rest
        assert rest is not None
        self.stage.do(rest.read_nowait)

    @while_in(*ON_ITS_WAY)
    @rule()
    def lose_upstream(self) -> None:
        is_first = self.stage.lines.idle and not self.replaced
        waits = self.exchange.phase is Phase.RECEIVING and not self.stage.line.written
        self.stage.do(lambda: self.exchange.upstream_lost("gone"))
        if is_first and waits:
            self.replaced = True
            assert self.exchange.phase is Phase.CONNECTING
            return
        (error,) = self.stage.client.refusals
        assert isinstance(error, UpstreamUnavailable)
        assert error.outcome_unknown is bool(self.stage.line.written)

    # --- the ledger and the clock ----------------------------------------------------------------

    @precondition(lambda self: self.stage.book.asked and not self.kept)
    @rule(durable=st.booleans())
    def keep(self, durable: bool) -> None:
        """It may come when the upload was given up long ago."""
        error = None if durable else not_kept()
        completed = self.stage.book.completed
        if completed is None:
            self.stage.keep(error)
        elif completed.cancelled():
            return
        elif error is None:
            self.stage.do(lambda: completed.set_result(None))
        else:
            self.stage.do(lambda: completed.set_exception(error))
        self.kept = True

    @rule()
    def wait(self) -> None:
        """As long as no clock allows anybody."""
        side = TO_ACT[self.exchange.phase]
        ends = side in CLOCKS and not (side is Side.LEDGER and self.stage.book.completed)
        before, told = self.exchange.phase, len(self.stage.client.refusals)
        self.stage.do(lambda: self.exchange.look(time.monotonic() + FAR))
        if ends:
            assert self.exchange.phase is Phase.OVER
            assert isinstance(self.stage.client.refusals[-1], CLOCKS[side])
        else:
            assert self.exchange.phase is before
            assert len(self.stage.client.refusals) == told

    @rule()
    def look(self) -> None:
        """No clock has run out."""
        before = self.exchange.phase
        self.stage.do(lambda: self.exchange.look(time.monotonic()))
        assert self.exchange.phase is before

    @rule(event=st.sampled_from(Event))
    def do_the_impossible(self, event: Event) -> None:
        """What cannot happen raises, and leaves all as it was."""
        before = self.exchange.phase
        impossible = {
            Event.BEGUN: self.exchange.begin,
            Event.FULL: self.exchange.upstream_full,
            Event.DRAINED: self.exchange.upstream_drained,
        }.get(event)
        if impossible is None or event in MOVES[before]:
            return
        with pytest.raises(IllegalMoveError):
            self.stage.do(impossible)
        assert self.exchange.phase is before

    # --- what is always so -----------------------------------------------------------------------

    @invariant()
    def the_client_is_told_once(self) -> None:
        client, phase = self.stage.client, self.exchange.phase
        told = len(client.answers) + len(client.refusals)
        assert told == (phase >= Phase.ANSWERING and not self.closed)
        if client.answers:
            assert client.answers[0][0] == self.status

    @invariant()
    def the_upstream_is_sent_what_was_given(self) -> None:
        written = self.stage.line.written
        assert (self.head + self.given).startswith(written)
        if self.exchange.phase in WITH_UPSTREAM and self.given:
            assert written == self.head + self.given

    @invariant()
    def a_success_is_told_behind_its_record(self) -> None:
        asked, tasks = self.stage.book.asked, self.stage.workers.tasks
        assert len(asked) <= (self.status in SUCCESS)
        assert asked or self.exchange.phase is not Phase.KEEPING
        assert len(tasks) <= len(asked)
        if self.stage.client.answers and self.status in SUCCESS:
            assert tasks == [("uploads.audit", asked[0].id)]

    @invariant()
    def the_connection_ends_with_the_exchange(self) -> None:
        phase, ended = self.exchange.phase, self.stage.line.ended
        assert len(ended) <= 1
        if phase is not Phase.OVER:
            assert not ended
        if True in ended:
            assert self.ended
            assert self.status < 400
            assert self.stage.client.answers
        assert (len(self.stage.under_way) == 1) is (phase not in (Phase.NEW, Phase.OVER))

    @invariant()
    def whoever_is_to_act_can(self) -> None:
        phase = self.exchange.phase
        if phase in (Phase.RECEIVING, Phase.ANSWERING):
            assert not self.stage.client.waits
        elif phase in (Phase.CONNECTING, Phase.BLOCKED):
            assert self.stage.client.waits

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.stage.close()


Orders.TestCase.settings = settings(examples(60), stateful_step_count=15)
TestOrders = Orders.TestCase
