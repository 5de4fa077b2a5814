"""Celery's broker on RabbitMQ, for kombu: it answers in time, or the connection counts as lost."""

from contextlib import suppress

from kombu.transport import TRANSPORT_ALIASES, pyamqp

from gateway.guards.py_amqp import AnswersInTime


class Connection(AnswersInTime):
    """A connection that knows whether the broker accepts messages."""

    blocked = False
    """Whether the broker has reported that it accepts no messages; it accepts one before that."""

    def is_blocked(self) -> bool:
        """Whether it accepts no messages, according to everything that it has reported so far."""
        with suppress(TimeoutError):
            while True:
                self.drain_events(timeout=0)
        return self.blocked

    def _on_blocked(self) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False


class Transport(pyamqp.Transport):
    """The transport of `amqp://`."""

    Connection = Connection


class SecureTransport(pyamqp.SSLTransport):
    """The transport of `amqps://`."""

    Connection = Connection


def be_known() -> None:
    """Have kombu use these transports. Call it before kombu looks its transports up."""
    for scheme, transport in (
        ("amqp", Transport),
        ("pyamqp", Transport),
        ("amqps", SecureTransport),
    ):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{transport.__name__}"
