"""Answers about a subject's quota: all fields of the draft, and true refusals."""

from datetime import UTC, datetime

import pytest

from gateway.errors import LargerThanQuota
from gateway.limits.quota import Accounts, Demand, Policy, Usage, check_size, fields, refusal
from gateway.problems import members, problem_of

ALL = Policy(uploads=2, requests=3, bytes=1000, window=60)
NOTHING = Demand(0)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def ask(
    accounts: Accounts, demand: Demand, now: int = 0, uploads: int = 0, subject: str = "a"
) -> Usage:
    return accounts.ask(subject, demand, uploads, now)


def test_the_fields_name_each_policy_and_what_is_left_of_it() -> None:
    standing = ask(Accounts(ALL), Demand(300, "id"), uploads=1)
    assert fields(ALL, standing) == {
        "RateLimit-Policy": '"gateway-requests";q=3;w=60, '
        '"gateway-bytes";q=1000;qu="content-bytes";w=60, '
        '"gateway-uploads";q=2;qu="concurrent-requests"',
        "RateLimit": '"gateway-requests";r=2;t=60, "gateway-bytes";r=700;t=60, '
        '"gateway-uploads";r=0',
    }


def test_the_fields_are_silent_about_what_is_not_limited() -> None:
    policy = Policy(requests=3, window=10)
    found = fields(policy, ask(Accounts(policy), NOTHING))
    assert found["RateLimit-Policy"] == '"gateway-requests";q=3;w=10'
    assert found["RateLimit"] == '"gateway-requests";r=2;t=10'


def test_request_above_the_quota_gets_retry_after() -> None:
    accounts = Accounts(ALL)
    for second in range(3):
        assert refusal(ALL, ask(accounts, NOTHING, second * 1000)) is None
    refused = refusal(ALL, ask(accounts, NOTHING, 3000))
    assert refused is not None
    assert refused.violated == ("gateway-requests",)
    assert refused.retry_after == 61.2 - 3
    problem = problem_of(refused)
    assert (problem.kind.status, problem.headers["Retry-After"]) == (429, "59")
    assert problem.headers["RateLimit"].startswith('"gateway-requests";r=0;t=59,')
    assert refusal(ALL, ask(accounts, NOTHING, 61_200)) is None


def test_a_refused_request_costs_nothing() -> None:
    accounts = Accounts(ALL)
    assert refusal(ALL, ask(accounts, Demand(900))) is None
    assert refusal(ALL, ask(accounts, Demand(101))) is not None
    assert ask(accounts, Demand(100)).bytes.used == 1000
    assert ask(accounts, NOTHING).requests.used == 3


def test_each_policy_that_is_violated_is_named() -> None:
    accounts = Accounts(ALL)
    for _ in range(3):
        ask(accounts, Demand(300))
    refused = refusal(ALL, ask(accounts, Demand(300, "id"), uploads=2))
    assert refused is not None
    names = ("gateway-requests", "gateway-bytes", "gateway-uploads")
    assert refused.violated == names
    document = members(problem_of(refused), NOW, {})
    assert document["violated-policies"] == names


def test_a_body_of_unknown_length_needs_room_and_the_next_one_pays() -> None:
    policy = Policy(bytes=1000)
    accounts = Accounts(policy)
    standing = ask(accounts, Demand(None))
    assert standing.bytes.used == 0
    accounts.correct("a", 5000, standing.slice, 1000)
    assert refusal(policy, ask(accounts, Demand(None), 1000)) is not None
    assert refusal(policy, ask(accounts, Demand(1), 1000)) is not None
    assert refusal(policy, ask(accounts, NOTHING, 1000)) is None  # it sends none


def test_bytes_that_did_not_arrive_are_given_back() -> None:
    policy = Policy(bytes=1000)
    accounts = Accounts(policy)
    standing = ask(accounts, Demand(1000))
    accounts.correct("a", -900, standing.slice, 1000)
    assert refusal(policy, ask(accounts, Demand(900), 1000)) is None
    assert refusal(policy, ask(accounts, Demand(1), 1000)) is not None


def test_body_larger_than_the_quota_has_no_retry_after() -> None:
    check_size(ALL, Demand(1000))
    check_size(Policy(requests=1), Demand(10**12))
    with pytest.raises(LargerThanQuota):
        check_size(ALL, Demand(1001))


def test_subjects_do_not_share_and_are_forgotten() -> None:
    accounts = Accounts(ALL)
    for _ in range(3):
        ask(accounts, NOTHING)
    assert refusal(ALL, ask(accounts, NOTHING, subject="b")) is None
    assert len(accounts) == 2
    ask(accounts, NOTHING, now=61_200, subject="c")
    assert len(accounts) == 1
