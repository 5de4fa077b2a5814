"""The settings of Celery and kombu for a Redis."""

from typing import Any

import pytest
from kombu import Connection
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry

from gateway.brokers.options import BrokerOptions
from gateway.queue import QUEUES, celery_settings
from gateway.redis.replies import WrongServer
from gateway.redis.transport import SentinelTransport, Transport, _NamedConnection
from gateway.stack.ports import HOST
from gateway.stack.valkey import Valkey

SENTINELS = "redis+sentinel://user:hush7@a:1,b:2/main/3?sentinel_password=hush8"


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("redis://user:hush7@cache/3", Transport),
        ("rediss://user:hush7@cache/3?ssl_cert_reqs=required", Transport),
        (SENTINELS, SentinelTransport),
        (SENTINELS.replace("redis", "rediss", 1), SentinelTransport),
    ],
)
def test_each_address_has_its_transport(url: str, transport: type[Transport]) -> None:
    settings = celery_settings(url, BrokerOptions(redis_prefix="one:"))
    assert Connection(settings["broker_url"]).get_transport_cls() is transport
    assert settings["broker_transport_options"]["global_keyprefix"] == "one:"


def test_no_secret_of_sentinels_is_known_to_celery() -> None:
    settings = celery_settings(SENTINELS)
    assert "redis+sentinel://a:1,b:2/main/3" in str(settings)
    assert "hush" not in str(settings)


def test_the_commands_of_a_channel_share_a_client(module_valkey: Valkey) -> None:
    settings = celery_settings(module_valkey.url)
    with Connection(settings["broker_url"]) as connection:
        channel: Any = connection.channel()
        with channel.conn_or_acquire() as one, channel.conn_or_acquire() as other:
            assert one is other
            assert one.ping()
        channel._disconnect_pools()  # as after the loss of a connection
        with channel.conn_or_acquire() as later:
            assert later is not one
            assert later.ping()
        assert channel.client is not later  # which waits for messages


def test_a_worker_waits_on_one_key_for_each_queue(module_valkey: Valkey) -> None:
    settings = celery_settings(module_valkey.url)
    options = settings["broker_transport_options"]
    with (
        Redis.from_url(module_valkey.url) as redis,
        redis.monitor() as monitor,
        Connection(settings["broker_url"], transport_options=options) as connection,
        connection.Consumer(settings["task_queues"], callbacks=[print]),
    ):
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.1)
        waits = next(
            command
            for told in monitor.listen()
            if (command := told["command"].split())[0] == "BRPOP"
        )
    assert sorted(waits[1:-1]) == sorted(QUEUES)


class Named:
    """What stands for sentinels, to a connection."""

    is_master = True
    check_connection = False

    def __init__(self, valkey: Valkey) -> None:
        self.server = (HOST, valkey.port)

    def get_master_address(self) -> tuple[str, int]:
        return self.server


def test_an_answer_that_is_late_is_not_taken_for_the_next_one(module_valkey: Valkey) -> None:
    pool = ConnectionPool(
        connection_class=_NamedConnection,
        connection_pool=Named(module_valkey),
        socket_timeout=1,
        retry=Retry(NoBackoff(), 1, supported_errors=(WrongServer,)),
    )
    with Redis.from_url(module_valkey.url) as other, Redis(connection_pool=pool) as redis:
        other.mset({"late": "late", "next": "next"})
        redis.ping()
        other.execute_command("CLIENT", "PAUSE", "3000", "ALL")
        with pytest.raises(RedisTimeout):
            redis.get("late")
        other.ping()  # which is answered when the pause is over
        assert redis.get("next") == b"next"
