"""Replaces kombu's transports by the repaired ones of this package."""

from kombu.transport import TRANSPORT_ALIASES

from gateway.brokers import amqp


def be_known() -> None:
    """Have kombu use them. Call it before kombu looks its transports up."""
    amqp.be_known()
    # Only by its name: it imports packages of the extra `sqs`.
    TRANSPORT_ALIASES["sqs"] = "gateway.brokers.sqs:Transport"
