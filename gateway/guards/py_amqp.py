"""Guards against faults of py-amqp, kombu's client of RabbitMQ."""

from typing import Any, Final

from amqp.exceptions import RecoverableConnectionError
from kombu.transport import pyamqp

ANSWER_SECONDS: Final = 5.0
"""How long an answer is waited for; one to a message that is published is its confirmation."""

_base: Final[Any] = pyamqp.Connection


class AnswersInTime(_base):  # type: ignore[misc]
    """Waits for each answer for at most ANSWER_SECONDS.

    Fault: py-amqp waits without a limit for a confirmation, for the answer to a declaration, and
    for leave to close. A RabbitMQ that has an alarm for memory or disk does not read what
    publishers send, and a frozen one reads nothing. `confirm_timeout` of kombu 5.5 limits
    confirmations only. Seen in py-amqp 5.4.2.
    Reported: https://github.com/celery/celery/issues/2689,
    https://github.com/celery/py-amqp/issues/276
    """

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Read one frame. Raises TimeoutError after `timeout`.

        Without one it is an answer that is waited for: raises RecoverableConnectionError after
        ANSWER_SECONDS, and ends the connection, for what it was may come at any time.
        """
        if timeout is not None:
            return super().blocking_read(timeout)
        try:
            return super().blocking_read(ANSWER_SECONDS)
        except TimeoutError as error:
            self.collect()  # it would wait for leave to close, too
            raise RecoverableConnectionError(
                f"the broker has not answered for {ANSWER_SECONDS:g} s"
            ) from error
