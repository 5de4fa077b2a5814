"""The transports that are put right here, instead of kombu's."""

from kombu.transport import TRANSPORT_ALIASES

from gateway.brokers import amqp


def be_known() -> None:
    """Have kombu take them: before its first look, which it remembers."""
    amqp.be_known()
    # By its name alone: what it imports is there with the extra `sqs`.
    TRANSPORT_ALIASES["sqs"] = "gateway.brokers.sqs:Transport"
