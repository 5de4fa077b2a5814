"""The verdicts: one upload of each mode, with one wrong fact each."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.answers import Answer, Ending, Outcome
from chaos.audit import Flaw, audit
from chaos.facts import Bucket, Facts, Fetched, Message, Resource
from chaos.uploads import Mode, Planned

ID = "0190-one"
URL = "http://gateway/gateway/files/token/one.png"
MODES = st.sampled_from(Mode)


def outcome_of(
    mode: Mode, ending: Ending = Ending.ACKNOWLEDGED, answer: Answer | None = None
) -> Outcome:
    upload = Planned(1, mode, "one.png", "image/png", 100, 0.0)
    given_answer = answer or Answer(200, ID, f"/gateway/uploads/{ID}", message_id=7)
    return Outcome(upload, ending, "digest", given_answer)


def message_of(mode: Mode) -> Message:
    hosting = "EXTERNAL" if mode.is_external else "HOSTED"
    return Message(7, hosting, "one.png", URL, 100, "image/png")


def facts_of(mode: Mode) -> Facts:
    state = "registered" if mode.is_external else "audited"
    return Facts(
        messages={"one.png": (message_of(mode),)},
        resources={ID: Resource(200, state, URL if mode.is_external else None)},
        bucket=Bucket(incoming=frozenset({ID}), records=frozenset({ID})),
        redis_forgot=False,
        fetched={7: Fetched("digest")},
    )


def flaws(outcome: Outcome, facts: Facts) -> set[Flaw]:
    return {finding.flaw for finding in audit([outcome], facts).findings}


@given(mode=MODES)
def test_nothing_is_found_if_all_is_right(mode: Mode) -> None:
    verdict = audit([outcome_of(mode)], facts_of(mode))
    assert verdict.findings == ()
    assert verdict.is_settled


@given(mode=MODES, ending=st.sampled_from(Ending))
def test_two_messages_are_a_flaw_however_the_upload_ended(mode: Mode, ending: Ending) -> None:
    first = message_of(mode)
    facts = replace(
        facts_of(mode),
        messages={"one.png": (first, replace(first, id=8))},
        fetched={7: Fetched("digest"), 8: Fetched("digest")},
    )
    assert Flaw.DOUBLED in flaws(outcome_of(mode, ending), facts)


@given(mode=MODES)
def test_an_acknowledged_upload_without_a_message_is_lost(mode: Mode) -> None:
    assert flaws(outcome_of(mode), replace(facts_of(mode), messages={})) == {Flaw.LOST}


@given(mode=MODES)
def test_an_unacknowledged_upload_may_be_missing(mode: Mode) -> None:
    facts = replace(facts_of(mode), messages={}, resources={})
    assert flaws(outcome_of(mode, Ending.UNACKNOWLEDGED), facts) == set()


@pytest.mark.parametrize("mode", [Mode.EXTERNAL, Mode.EXTERNAL_KEYED])
@pytest.mark.parametrize(
    ("resource", "flaw"),
    [
        (Resource(404), Flaw.LOST),
        (Resource(503), Flaw.UNSETTLED),
        (Resource(200, "stored", URL), Flaw.UNSETTLED),
        (Resource(200, "failed", URL), Flaw.LOST),
        (Resource(200, "registered", "http://other"), Flaw.WRONG),
    ],
)
def test_the_resource_of_a_hosted_upload_is_registered(
    mode: Mode, resource: Resource, flaw: Flaw
) -> None:
    facts = replace(facts_of(mode), resources={ID: resource})
    assert flaws(outcome_of(mode), facts) == {flaw}


@pytest.mark.parametrize("mode", [Mode.RELAY, Mode.RELAY_KEYED])
@pytest.mark.parametrize(
    ("resource", "flaw"),
    [
        (Resource(404), Flaw.LOST),
        (Resource(503), Flaw.UNSETTLED),
        (Resource(200, "relayed"), Flaw.UNSETTLED),
        (Resource(200, "flagged", problem="mismatch"), Flaw.WRONG),
    ],
)
def test_the_resource_of_a_relayed_upload_is_audited(
    mode: Mode, resource: Resource, flaw: Flaw
) -> None:
    facts = replace(facts_of(mode), resources={ID: resource})
    assert flaws(outcome_of(mode), facts) == {flaw}


def test_an_audit_lost_with_redis_is_counted_but_no_flaw() -> None:
    facts = replace(facts_of(Mode.RELAY), resources={ID: Resource(404)}, redis_forgot=True)
    verdict = audit([outcome_of(Mode.RELAY)], facts)
    assert verdict.findings == ()
    assert verdict.audits_lost == 1
    assert flaws(outcome_of(Mode.EXTERNAL), facts) >= {Flaw.LOST}


@given(mode=MODES, ending=st.sampled_from([Ending.ACKNOWLEDGED, Ending.UNACKNOWLEDGED]))
def test_a_message_shows_the_file_that_was_sent(mode: Mode, ending: Ending) -> None:
    outcome, facts = outcome_of(mode, ending), facts_of(mode)
    good = message_of(mode)
    for bad in (
        replace(good, size=99),
        replace(good, content_type="text/html"),
        replace(good, hosting="ELSEWHERE"),
    ):
        assert flaws(outcome, replace(facts, messages={"one.png": (bad,)})) == {Flaw.WRONG}
    for fetched in ({}, {7: Fetched("other")}, {7: Fetched(None, 404)}):
        assert flaws(outcome, replace(facts, fetched=fetched)) == {Flaw.WRONG}
    assert flaws(outcome, replace(facts, fetched=None)) == set()


@given(mode=MODES)
def test_an_answer_names_the_message_that_exists(mode: Mode) -> None:
    outcome = outcome_of(mode, answer=Answer(200, ID, message_id=9))
    assert flaws(outcome, facts_of(mode)) == {Flaw.WRONG}


@given(mode=MODES)
def test_an_answer_has_the_uploads_id(mode: Mode) -> None:
    assert flaws(outcome_of(mode, answer=Answer(200)), facts_of(mode)) == {Flaw.WRONG}


@given(mode=MODES)
def test_a_valid_upload_is_not_refused_and_a_patient_client_is_answered(mode: Mode) -> None:
    facts = replace(facts_of(mode), messages={})
    refused = outcome_of(mode, Ending.REFUSED, Answer(400, ID))
    assert flaws(refused, facts) == {Flaw.WRONG}
    assert flaws(outcome_of(mode, Ending.UNANSWERED), facts) == {Flaw.UNANSWERED}


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        (Resource(200, "aborted"), set()),
        (Resource(200, "audited"), set()),
        (Resource(200, "receiving"), {Flaw.UNSETTLED}),
        (Resource(503), {Flaw.UNSETTLED}),
        (Resource(404), {Flaw.WRONG}),
    ],
)
def test_an_upload_with_an_unknown_outcome_has_a_final_state(
    resource: Resource, found: set[Flaw]
) -> None:
    answer = Answer(409, "another", f"/gateway/uploads/{ID}")
    outcome = outcome_of(Mode.RELAY_KEYED, Ending.UNKNOWN, answer)
    facts = replace(facts_of(Mode.RELAY_KEYED), messages={}, resources={ID: resource})
    assert flaws(outcome, facts) == found
    assert flaws(replace(outcome, answer=Answer(409, ID)), facts) == {Flaw.WRONG}


@pytest.mark.parametrize(
    ("bucket", "count"),
    [
        (Bucket(pending={ID: "stored"}, incoming=frozenset({ID})), 1),
        (Bucket(incoming=frozenset({ID, "other"}), records=frozenset({ID})), 1),
        (Bucket(multiparts=("a", "a", "b")), 2),
        (Bucket(records=frozenset({ID})), 0),
    ],
)
def test_the_bucket_has_only_ended_uploads(bucket: Bucket, count: int) -> None:
    verdict = audit([], Facts({}, {}, bucket, redis_forgot=False))
    assert verdict.count(Flaw.LEFTOVER) == count == len(verdict.findings)
    assert verdict.is_settled is (count == 0)


@given(mode=MODES)
def test_an_internal_error_is_found_even_if_a_repetition_succeeded(mode: Mode) -> None:
    outcome = replace(outcome_of(mode), statuses=(503, 500, 200))
    assert flaws(outcome, facts_of(mode)) == {Flaw.WRONG}
