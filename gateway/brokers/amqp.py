"""Celery's broker on RabbitMQ, for kombu: whatever is asked is answered in time, or lost."""

from contextlib import suppress
from typing import Any, Final

from amqp.exceptions import RecoverableConnectionError
from kombu.transport import TRANSPORT_ALIASES, pyamqp

ANSWER_SECONDS: Final = 5.0
"""How long an answer is waited for; one to a message that is published is its confirmation."""


_base: Final[Any] = pyamqp.Connection


class Connection(_base):  # type: ignore[misc]
    """A connection on which no call waits for ever.

    A RabbitMQ that has an alarm for memory or disk does not read what publishers send, and a
    frozen one reads nothing: py-amqp waits for a confirmation, for the answer to a declaration,
    and for leave to close, until it comes (celery/celery#2689, celery/py-amqp#276).
    """

    blocked = False
    """Whether the broker has said that it takes no message here; it takes one before it says so."""

    def is_blocked(self) -> bool:
        """Whether it takes no message, by all that it has said until now."""
        with suppress(TimeoutError):
            while True:
                self.drain_events(timeout=0)
        return self.blocked

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Read one frame. Raises TimeoutError after `timeout`.

        Without one it is an answer that is waited for: raises RecoverableConnectionError after
        ANSWER_SECONDS, and ends the connection, for what it was may come at any time.
        """
        if timeout is not None:
            return super().blocking_read(timeout)
        try:
            return super().blocking_read(ANSWER_SECONDS)
        except TimeoutError:
            self.collect()  # it would wait for leave to close, too
            raise RecoverableConnectionError(
                f"the broker has not answered for {ANSWER_SECONDS:g} s"
            ) from None

    def _on_blocked(self) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False


class Transport(pyamqp.Transport):
    """What `amqp://` stands for."""

    Connection = Connection


class SecureTransport(pyamqp.SSLTransport):
    """What `amqps://` stands for."""

    Connection = Connection


def be_known() -> None:
    """Have kombu take these transports for RabbitMQ: before its first look, which it remembers."""
    for scheme, transport in (
        ("amqp", Transport),
        ("pyamqp", Transport),
        ("amqps", SecureTransport),
    ):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{transport.__name__}"
