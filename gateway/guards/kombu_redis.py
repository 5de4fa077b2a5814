"""Guards against faults of kombu's transport for Redis."""

from typing import Any

from kombu.exceptions import OperationalError
from kombu.transport import redis as kombu
from redis.exceptions import ConnectionError as RedisConnectionError


class GivenUpConnection(kombu.Channel):
    """Raises an error of the connection if a caller still uses one that was abandoned.

    Fault: a channel of a closed connection asks it for its address, and raises AttributeError,
    which Celery does not treat as an error of the broker: the worker ends. It happens if the worker
    has tasks, which are returned or acknowledged too late. Seen in kombu 5.7.0.
    Reported: https://github.com/celery/kombu/issues/582
    """

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        if getattr(self.connection, "client", None) is None:
            raise RedisConnectionError("the connection to the broker was abandoned")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return params


class PrefixedQueues(kombu.Channel):
    """Looks for a queue under its name with the prefix.

    Fault: kombu puts no `global_keyprefix` before the keys of EXISTS. A queue that has messages
    counts as missing: if kombu is asked for its length, it raises that the queue does not exist, or
    that the user has no right to ask. Seen in kombu 5.7.0.
    Not reported; of the same kind: https://github.com/celery/kombu/pull/1572
    """

    def _has_queue(self, queue: str, **_: object) -> bool:
        return bool(self._size(queue) > 0)  # an empty list does not exist, either


class KnownErrors(kombu.Transport):
    """Adds kombu's own OperationalError to the errors of a connection.

    Fault: after its retries, kombu raises an OperationalError, which is not among the
    `connection_errors` by which Celery recognises errors of the broker. So a Redis that disconnects
    again while a worker starts ends the worker. Seen in kombu 5.7.0.
    Not reported.
    """

    connection_errors = (*kombu.Transport.connection_errors, OperationalError)
