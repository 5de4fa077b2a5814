"""Tasks reach the broker: those that clients wait for at once, the others many at a time."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from gateway.brokers.gathering import Gathering
from gateway.errors import QueueUnavailable
from gateway.queue import QUEUES, TaskQueue
from gateway.stack.valkey import Valkey
from gateway.uploads.lifecycle import Step

LARGEST = 500
GATHERINGS = {"many": Gathering(seconds=0.5, largest=LARGEST)}


@pytest.fixture
def broker(own_redis_url: str) -> Iterator[Redis]:
    """A database of its own, which no worker reads."""
    with Redis.from_url(own_redis_url) as client:
        yield client


def messages(broker: Redis) -> list[tuple[str, Any]]:
    """Task name and first argument of each message, in the order in which they were sent."""
    return [(name, arguments[0]) for name, arguments in tasks(broker)]


def tasks(broker: Redis) -> list[tuple[str, list[Any]]]:
    """Task name and arguments of each message."""
    found = []
    texts = [text for name in ("many", "one") for text in reversed(broker.lrange(name, 0, -1))]
    for text in texts:
        message = json.loads(text)
        arguments = json.loads(base64.b64decode(message["body"]))[0]
        found.append((message["headers"]["task"], arguments))
    return found


def test_gathered_tasks_share_messages(own_redis_url: str, broker: Redis) -> None:
    queue = TaskQueue(own_redis_url, GATHERINGS)
    ids = [f"upload-{number}" for number in range(2 * LARGEST + 50)]
    for upload_id in ids:
        queue.send("many", upload_id)
    queue.close(60)
    sent = messages(broker)
    assert len(sent) <= 4  # the first may have gone alone
    assert [upload_id for _, group in sent for upload_id in group] == ids
    assert {name for name, _ in sent} == {"many"}


def test_celerys_tools_see_only_ids(own_redis_url: str, broker: Redis) -> None:
    queue = TaskQueue(own_redis_url, {"many": Gathering(seconds=60, largest=LARGEST)})
    queue.send("one", "a")
    queue.send("many", "b", "a sealed record")
    while not broker.exists("many"):  # it goes by itself
        time.sleep(0.01)
    for number in range(20):
        queue.send("many", f"{number}", "a sealed record")
    queue.close(60)
    shown = [
        json.loads(text)["headers"]["argsrepr"]
        for name in ("one", "many")
        for text in reversed(broker.lrange(name, 0, -1))
    ]
    some = [*map(str, range(8)), "..."]
    assert shown == ["['a']", "[['b']]", f"[{some}]"]


def test_a_task_that_a_client_waits_for_has_its_own_message(
    own_redis_url: str, broker: Redis
) -> None:
    queue = TaskQueue(own_redis_url, GATHERINGS)
    queue.send("many", "a")
    queue.send("one", "b")
    queue.send("one", "c")
    queue.close(60)
    assert sorted(messages(broker), key=str) == [("many", ["a"]), ("one", "b"), ("one", "c")]


def test_a_task_that_is_sent_alone_shares_no_message(own_redis_url: str, broker: Redis) -> None:
    queue = TaskQueue(own_redis_url, {"many": Gathering(seconds=60, largest=LARGEST)})
    ids = [f"upload-{number}" for number in range(5)]
    for upload_id in ids:
        queue.send("many", f"with-{upload_id}")
        queue.send_alone("many", upload_id)
    queue.send_alone("one", "a")
    deadline = time.monotonic() + 30
    while sum(sent[1] in [*([each] for each in ids), "a"] for sent in messages(broker)) < 6:
        assert time.monotonic() < deadline  # none of them waits for the others
        time.sleep(0.01)
    queue.close(60)
    assert sum(len(group) for name, group in messages(broker) if name == "many") == 10


def test_an_offer_goes_with_its_own_task_and_only_once(own_redis_url: str, broker: Redis) -> None:
    queue = TaskQueue(own_redis_url, GATHERINGS)
    queue.send("many", "a", "sealed a")
    queue.send("many", "b")
    queue.send("one", "a")
    queue.send("one", "c", "sealed c")
    queue.send("one", "c")
    queue.close(60)
    sent = tasks(broker)
    offered = [arguments[1] for name, arguments in sent if name == "many" and arguments[1:]]
    assert offered == [{"a": "sealed a"}]
    assert [arguments for name, arguments in sent if name == "one"] == [
        ["a"],
        ["c", {"c": "sealed c"}],
        ["c"],
    ]


def test_waiting_tasks_are_sent_at_the_end(own_redis_url: str, broker: Redis) -> None:
    queue = TaskQueue(own_redis_url, GATHERINGS)
    queue.send("many", "a")
    queue.close(60)
    assert messages(broker) == [("many", ["a"])]


def test_the_connection_to_the_broker_is_closed_at_the_end(module_valkey: Valkey) -> None:
    def connected() -> int:
        return len(watching.client_list())

    with Redis.from_url(module_valkey.url) as watching:
        before = connected()
        queue = TaskQueue(module_valkey.url, {})
        queue.send("one", "a")
        queue.check()
        queue.probe()
        assert connected() > before
        queue.close(60)
        deadline = time.monotonic() + 60
        while connected() != before:  # until the server has seen their end
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_probe_leaves_nothing_behind(own_redis_url: str, broker: Redis) -> None:
    queue = TaskQueue(own_redis_url, {})
    queue.probe()
    queue.close(60)
    assert broker.keys() == []


def test_a_broker_that_keeps_no_messages_is_named(module_valkey: Valkey) -> None:
    with Redis.from_url(module_valkey.url) as redis:
        redis.acl_setuser(
            "clerk", enabled=True, passwords=["+hush"], keys=["*"], commands=["+@all", "-zadd"]
        )
    queue = TaskQueue(module_valkey.url.replace("//", "//clerk:hush@"), {})
    queue.check()
    with pytest.raises(QueueUnavailable, match="zadd") as caught:
        queue.probe()
    queue.close(60)
    assert "hush" not in str(caught.value)


def test_each_step_has_a_queue_of_its_own(own_redis_url: str, broker: Redis) -> None:
    assert set(QUEUES) == set(Step)
    queue = TaskQueue(own_redis_url, {})
    assert queue.depth() == 0
    for step, count in zip(Step, range(1, 9), strict=False):
        for number in range(count):
            queue.send(step, f"upload-{number}")
    queue.close(60)
    assert queue.depths() == {step: broker.llen(step) for step in Step}
    assert list(queue.depths().values()) == [1, 2, 3, 4, 5, 6, 7]
    assert queue.depth() == 28
