"""Guards against faults of py-amqp, kombu's client of RabbitMQ."""

from typing import Any, Final

from amqp.exceptions import RecoverableConnectionError
from kombu.transport import pyamqp

ANSWER_SECONDS: Final = 5.0
"""How long to wait for an answer, which for a published message is its confirmation."""

_base: Final[Any] = pyamqp.Connection


class AnswersInTime(_base):  # type: ignore[misc]
    """Waits for each answer for at most ANSWER_SECONDS.

    Fault: py-amqp waits without a limit for a confirmation, for the answer to a declaration, and
    for the permission to close. A RabbitMQ with an alarm for memory or disk does not read what
    publishers send, and a frozen one reads nothing. `confirm_timeout` of kombu 5.5 limits only
    confirmations. Seen in py-amqp 5.4.2.
    Reported: https://github.com/celery/celery/issues/2689,
    https://github.com/celery/py-amqp/issues/276
    """

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Read one frame. Raises TimeoutError after `timeout`.

        Without a timeout, the caller waits for an answer: raises RecoverableConnectionError after
        ANSWER_SECONDS, and ends the connection, since the answer may still arrive at any time.
        """
        if timeout is not None:
            return super().blocking_read(timeout)
        try:
            return super().blocking_read(ANSWER_SECONDS)
        except TimeoutError as error:
            self.collect()  # closing would wait for a permission, too
            raise RecoverableConnectionError(
                f"the broker has not answered for {ANSWER_SECONDS:g} s"
            ) from error
