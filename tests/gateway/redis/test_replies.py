"""The error replies of each supported version of Redis and Valkey are distinguished."""

import pytest

from gateway.redis.replies import WriteRefused, WrongServer, told_apart

READONLY = "READONLY You can't write against a read only replica."
WRONG = [
    READONLY,
    f"{READONLY} script: 7fa6a4, on @user_script:1.",
    f"ERR Error running script (call to f_7fa6): @user_script:1: @user_script: 1: -{READONLY}",
    f"EXECABORT Transaction discarded because of: {READONLY}",
    "LOADING Redis is loading the dataset in memory",
    "LOADING Valkey is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "CLUSTERDOWN Hash slot not served",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "UNBLOCKED client unblocked via CLIENT UNBLOCK",
]
REFUSED = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "EXECABORT Transaction discarded because of: OOM command not allowed when used memory.",
    "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist",
    "NOREPLICAS Not enough good replicas to write.",
]
OTHERS = [
    "ERR unknown command 'READONLYX'",
    "ERR max number of clients reached",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOSCRIPT No matching script.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "EXECABORT Transaction discarded because of previous errors.",
    "READONLYISH",
    "ERR a file called LOADING",
    "",
]


@pytest.mark.parametrize(
    ("replies", "kind"), [(WRONG, WrongServer), (REFUSED, WriteRefused), (OTHERS, type(None))]
)
def test_each_reply_is_of_its_kind(replies: list[str], kind: type) -> None:
    assert {reply: type(told_apart(reply)) for reply in replies} == dict.fromkeys(replies, kind)


@pytest.mark.parametrize("reply", WRONG + REFUSED)
def test_an_error_says_what_the_server_said(reply: str) -> None:
    assert str(told_apart(reply)) == reply
