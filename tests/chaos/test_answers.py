import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.answers import Answer, Ending, Outcome, ending_of, pause
from chaos.uploads import Mode, plan_uploads


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (200, Ending.ACKNOWLEDGED),
        (202, Ending.ACKNOWLEDGED),
        (400, Ending.REFUSED),
        (422, Ending.REFUSED),
        (408, None),
        (429, None),
        (502, None),
        (503, None),
    ],
)
def test_the_meaning_of_each_answer(mode: Mode, status: int, ending: Ending | None) -> None:
    assert ending_of(mode, Answer(status)) is ending


def test_only_a_relay_with_a_key_can_have_an_unknown_outcome() -> None:
    endings = {mode: ending_of(mode, Answer(409)) for mode in Mode}
    assert endings.pop(Mode.RELAY_KEYED) is Ending.UNKNOWN
    assert set(endings.values()) == {Ending.REFUSED}


@given(mode=st.sampled_from(Mode))
def test_a_missing_answer_ends_nothing(mode: Mode) -> None:
    assert ending_of(mode, None) is None


@given(
    tries=st.integers(1, 10_000),
    asked=st.floats(0, 1e6),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_a_pause_is_bounded_and_no_shorter_than_asked(
    tries: int, asked: float, jitter: float
) -> None:
    wait = pause(tries, Answer(503, retry_after=asked), jitter)
    assert min(asked, 30) <= wait <= 30
    assert 0 < pause(tries, None, jitter) <= 5


def test_an_unknown_outcome_is_looked_up_where_the_answer_points() -> None:
    upload = plan_uploads(1, 1, 1)[0]
    answer = Answer(409, upload_id="this", location="/gateway/uploads/first")
    assert Outcome(upload, Ending.UNKNOWN, "", answer).upload_id == "first"
    assert Outcome(upload, Ending.ACKNOWLEDGED, "", answer).upload_id == "this"
    assert Outcome(upload, Ending.UNANSWERED, "").upload_id is None
