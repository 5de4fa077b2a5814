"""Celery's broker on Redis, for kombu: a connection to a wrong server is a lost connection."""

from typing import Final, cast

from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu
from redis import Connection, ConnectionPool, SSLConnection
from redis._parsers import _HiredisParser
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from gateway.redis.replies import WrongServer, told_apart

_SCHEMES: Final = ("redis", "rediss")


class _Parser(_HiredisParser):
    @classmethod
    def parse_error(cls, response: str) -> Exception:
        error = told_apart(response) or super().parse_error(response)  # type: ignore[no-untyped-call]
        return cast(Exception, error)


class _Connection(Connection):
    def __init__(self, **options: object) -> None:
        super().__init__(**options, parser_class=_Parser)  # type: ignore[no-untyped-call]


class _SecureConnection(SSLConnection):
    def __init__(self, **options: object) -> None:
        super().__init__(**options, parser_class=_Parser)  # type: ignore[arg-type]


class Channel(kombu.Channel):
    """What consumes and sends."""

    connection_class = _Connection
    connection_class_ssl = _SecureConnection

    def _get_pool(self, asynchronous: bool = False) -> ConnectionPool:  # noqa: FBT001, FBT002 - kombu's
        if self.connection.client is None:
            # Its connection was given up, with tasks in hand: whoever still has a word for the
            # broker here, an acknowledgement for one, has lost it, as kombu forgets to say.
            raise RedisConnectionError("the connection to the broker was given up")
        pool = super()._get_pool(asynchronous)  # type: ignore[misc]
        # What waits for messages is not asked again: it would wait here, and nothing else be done.
        if not asynchronous:
            pool.connection_kwargs["retry"] = Retry(NoBackoff(), 1, supported_errors=(WrongServer,))
        return cast(ConnectionPool, pool)


class Transport(kombu.Transport):
    """What the URLs of Redis stand for."""

    Channel = Channel
    # What kombu asked in vain it tells by an error of its own, which ends a worker that takes
    # it for none of the broker's: one that greets the others while the broker goes away again.
    connection_errors = (*kombu.Transport.connection_errors, OperationalError)


def be_known() -> None:
    """Have kombu take this transport for Redis: before its first look, which it remembers."""
    TRANSPORT_ALIASES.update(dict.fromkeys(_SCHEMES, f"{__name__}:{Transport.__name__}"))
