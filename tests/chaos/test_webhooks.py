"""The verdicts over webhooks: everything right, then one wrong delivery or object each."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chaos.facts import ENDS
from chaos.webhooks.audit import Delivery, Facts, Flaw, Verdict, audit
from chaos.webhooks.plan import Fate, Mood, content_of, moods, plan_doomed, share

ENDPOINTS = ("moody", "steady")
HISTORIES = {
    "a": ("receiving", "stored", "registered"),
    "b": ("receiving", "stored", "failed", "stored", "registered"),
    "c": ("receiving", "relayed", "flagged"),
    "d": ("receiving", "relayed", "audited"),
    "e": ("receiving", "stored", "rejected"),
    "f": ("aborted",),
}


def sent(endpoint: str, upload_id: str, sequence: int, state: str) -> Delivery:
    return Delivery(
        endpoint=endpoint,
        message_id=f"msg_{upload_id}_{sequence}_{state}",
        upload_id=upload_id,
        sequence=sequence,
        state=state,
        at=f"time of {upload_id}, {sequence}",
        mood=Mood.WELL,
        accepted=True,
    )


def all_sent() -> list[Delivery]:
    """Every end to both endpoints, and to one of them also an earlier end, last."""
    last = [
        sent(endpoint, upload_id, len(history), history[-1])
        for endpoint in ENDPOINTS
        for upload_id, history in HISTORIES.items()
    ]
    return [*last, sent("steady", "b", 3, "failed")]


def judged(deliveries: Sequence[Delivery], facts: Facts | None = None) -> Verdict:
    return audit(deliveries, facts or Facts(HISTORIES, acknowledged=["a", "b"]), ENDPOINTS)


def flaws(deliveries: Sequence[Delivery], facts: Facts | None = None) -> set[Flaw]:
    return {finding.flaw for finding in judged(deliveries, facts).findings}


def test_nothing_is_found_if_all_is_right() -> None:
    deliveries = all_sent()
    refused = replace(deliveries[0], accepted=False, mood=Mood.BUSY)
    verdict = judged([refused, *deliveries, deliveries[0]])
    assert (verdict.findings, verdict.unproved) == ((), ())
    assert verdict.accepted == {"moody": 6, "steady": 7}
    assert verdict.repeated == {"moody": 1, "steady": 0}
    assert verdict.attempts["moody"] == {Mood.BUSY: 1, Mood.WELL: 7}
    assert verdict.ends == dict.fromkeys(ENDS, 1) | {"registered": 2}


@pytest.mark.parametrize("accepted", [None, False])
def test_an_end_that_an_endpoint_has_not_accepted_is_lost(accepted: bool | None) -> None:
    first, *rest = all_sent()
    kept = [] if accepted is None else [replace(first, accepted=accepted)]
    assert flaws([*kept, *rest]) == {Flaw.LOST}


def test_an_acknowledged_upload_without_an_end_is_lost() -> None:
    assert flaws(all_sent(), Facts(HISTORIES, acknowledged=["g"])) == {Flaw.LOST}


def test_an_id_is_of_one_end_and_an_end_has_one_id() -> None:
    first, second, *rest = all_sent()
    assert Flaw.DOUBLED in flaws([first, replace(second, message_id=first.message_id), *rest])
    assert Flaw.DOUBLED in flaws([*all_sent(), replace(first, message_id="msg_other")])
    assert Flaw.DOUBLED in flaws([*all_sent(), replace(first, at="another time")])


def test_a_request_that_is_wrong_in_itself_is_found() -> None:
    first, *rest = all_sent()
    assert flaws([replace(first, flaw="its signature is wrong"), *rest]) == {Flaw.WRONG}


def test_a_message_is_about_an_end_that_there_was() -> None:
    assert flaws([*all_sent(), sent("steady", "a", 2, "failed")]) == {Flaw.WRONG}
    assert flaws([*all_sent(), sent("steady", "z", 3, "failed")]) == {Flaw.WRONG}


def test_a_registration_takes_the_place_of_a_failure() -> None:
    assert flaws([sent("steady", "a", 3, "failed"), *all_sent()]) == set()
    assert flaws([*all_sent(), sent("steady", "a", 3, "failed")]) == set()


def test_the_last_end_has_the_highest_sequence() -> None:
    later = sent("moody", "e", 9, "registered")
    assert Flaw.DISORDERED in flaws([*all_sent(), later])


def test_what_waits_or_was_given_up_is_left_over() -> None:
    assert flaws(all_sent(), Facts(HISTORIES, waiting=["a/3-registered"])) == {Flaw.LEFTOVER}
    assert flaws(all_sent(), Facts(HISTORIES, dead=["a/3-registered"])) == {Flaw.LEFTOVER}


def test_a_run_without_an_end_of_each_kind_proves_little() -> None:
    deliveries = [each for each in all_sent() if each.state != "flagged"]
    assert judged(deliveries).unproved == ("flagged",)


def test_the_receiver_is_down_at_first_and_well_at_last() -> None:
    found = moods(100.0)
    assert [mood for _, mood in found] == list(Mood)
    assert found[0] == (0.0, Mood.DOWN)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert found[-1][0] < 100.0


def test_as_many_uploads_have_each_fate() -> None:
    assert sum(share(2000)) == 2000
    _, count = share(60)
    doomed = plan_doomed(7, count, 30.0)
    assert doomed == plan_doomed(7, count, 30.0)
    assert len({each.upload.name for each in doomed}) == count
    for fate in Fate:
        keyed = [each.upload.mode.is_keyed for each in doomed if each.fate is fate]
        assert {True, False} <= set(keyed)
        assert len(keyed) == count // len(Fate)
    for each in doomed:
        assert 0 <= each.upload.due <= 30.0
        name = each.upload.name.removesuffix(".txt")
        assert each.upload.size == len(content_of(each.fate, name))
