"""The table of a relay's moves; what holds for every table: test_moves.py."""

from gateway.delivery.relay.phase import MOVES, Phase


def test_only_a_body_that_continues_and_a_stale_connection_return_to_an_earlier_phase() -> None:
    back = {(phase, after) for phase in Phase for after in MOVES[phase].values() if after < phase}
    assert back == {(Phase.BLOCKED, Phase.RECEIVING), (Phase.RECEIVING, Phase.CONNECTING)}
