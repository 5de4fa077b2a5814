"""Celery's broker on RabbitMQ, for kombu: what is asked is answered in time, or lost."""

from contextlib import suppress

from kombu.transport import TRANSPORT_ALIASES, pyamqp

from gateway.guards.py_amqp import AnswersInTime


class Connection(AnswersInTime):
    """A connection that knows whether the broker takes messages."""

    blocked = False
    """Whether the broker has said that it takes no message here; it takes one before it says so."""

    def is_blocked(self) -> bool:
        """Whether it takes no message, by all that it has said until now."""
        with suppress(TimeoutError):
            while True:
                self.drain_events(timeout=0)
        return self.blocked

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
