"""What kombu does wrong on Redis: a test that fails here says that its guard can go."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError
from kombu.transport import redis as kombu
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.guards.kombu_redis import GivenUpConnection, KnownErrors, PrefixedQueues
from gateway.stack.ports import HOST, free_port


def transport_of(channel: type[kombu.Channel]) -> type[kombu.Transport]:
    return type("Transport", (kombu.Transport,), {"Channel": channel})


@contextmanager
def connected(url: str, transport: type[kombu.Transport], prefix: str) -> Iterator[Connection]:
    options = {"global_keyprefix": prefix}
    with Connection(url, transport=transport, transport_options=options) as connection:
        yield connection


@pytest.mark.parametrize(
    ("channel", "error"),
    [(kombu.Channel, AttributeError), (GivenUpConnection, RedisConnectionError)],
)
def test_kombu_still_forgets_that_a_connection_was_given_up(
    module_redis_url: str, channel: type[kombu.Channel], error: type[Exception]
) -> None:
    with connected(module_redis_url, transport_of(channel), f"{channel.__name__}:") as connection:
        queue = connection.SimpleQueue("given-up")
        queue.put("in hand")
        message = queue.get(timeout=5)
        channel_in_use: Any = connection.default_channel
        connection.collect()  # as Celery does with one that was lost
        channel_in_use._disconnect_pools()  # as kombu does with each that has an error
        with pytest.raises(error):
            message.ack()


@pytest.mark.parametrize(("channel", "found"), [(kombu.Channel, False), (PrefixedQueues, True)])
def test_kombu_still_looks_for_a_queue_without_its_prefix(
    module_redis_url: str, channel: type[kombu.Channel], found: bool
) -> None:
    with connected(module_redis_url, transport_of(channel), f"{channel.__name__}:") as connection:
        connection.SimpleQueue("prefixed").put("waits")
        channel_in_use: Any = connection.default_channel
        assert channel_in_use._has_queue("prefixed") is found


@pytest.mark.parametrize(("transport", "known"), [(kombu.Transport, False), (KnownErrors, True)])
def test_kombu_still_raises_an_error_that_it_does_not_list(
    transport: type[kombu.Transport], known: bool
) -> None:
    with connected(f"redis://{HOST}:{free_port()}/0", transport, "") as connection:
        with pytest.raises(OperationalError) as raised:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        assert isinstance(raised.value, connection.connection_errors) is known
