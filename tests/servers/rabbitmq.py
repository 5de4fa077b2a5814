"""RabbitMQ for tests, which are skipped if it is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.servers.rabbitmq import RabbitMQ, is_installed
from gateway.stack.part import Part
from tests.programs import lack


def require() -> None:
    """Skip the test if there is no RabbitMQ to run."""
    if not is_installed():
        lack("rabbitmq-server is not installed")


@contextmanager
def started(directory: Path) -> Iterator[RabbitMQ]:
    """A running node, if there is one to run."""
    require()
    node = RabbitMQ.below(directory)
    with Part(node.epmd(), directory), Part(node.command(), directory):
        yield node
