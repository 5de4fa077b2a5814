"""The brokers that faults strike: a pair of Valkeys behind one address, and a RabbitMQ."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

from redis import Redis

from chaos.brokers.faults import Fault, Kind
from chaos.servers.failover import Address, address_of, follow, promote
from chaos.servers.freezing import frozen
from chaos.servers.rabbitmq import RabbitMQ
from gateway.stack.part import Command, Part
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey

_BETWEEN: Final = 0.5
"""Seconds for which a broker that is killed or restarted is down."""


class Engine(Protocol):
    """A broker that faults can strike."""

    redis_url: str
    broker_url: str
    kinds: frozenset[Kind]
    settings: Mapping[str, str]

    def strike(self, fault: Fault) -> None:
        """Cause the fault, and end it; returns after that."""


class _Server:
    """A server that restarts at the same address."""

    def __init__(self, command: Callable[[], Command], directory: Path) -> None:
        self._command = command
        self._directory = directory
        self._part = self._started()

    def restart(self) -> None:
        """Restart it as an operator does."""
        self._part.stop()
        self._again()

    def kill(self) -> None:
        """Kill it as the kernel does when memory is short."""
        self._part.kill()
        self._again()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it meanwhile: its connections stay open, and nothing is answered."""
        with frozen(self._part.pid):
            yield

    def stop(self) -> None:
        """Stop it for good."""
        self._part.stop()

    def _again(self) -> None:
        time.sleep(_BETWEEN)
        self._part = self._started()

    def _started(self) -> Part:
        return Part(self._command(), self._directory).wait_ready()


class RedisPair:
    """Broker, cache and records in one: a primary and its replica, behind one address."""

    kinds = frozenset({Kind.RESTART, Kind.KILL, Kind.MEMORY, Kind.FREEZE, Kind.FAILOVER})
    settings: Mapping[str, str] = {}

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        """Start it; it ends with the stack."""
        self._valkeys = [Valkey(directory / name, free_port()) for name in ("valkey-a", "valkey-b")]
        self._servers = [_Server(each.command, each.data_dir) for each in self._valkeys]
        for server in self._servers:
            stack.callback(server.stop)
        asyncio.run(follow(self._valkeys[1], self._valkeys[0]))
        self._address: Address = stack.enter_context(address_of(self._valkeys[0]))
        self._master = 0
        self.redis_url = self.broker_url = self._address.url

    def strike(self, fault: Fault) -> None:
        """Cause the fault, and end it."""
        server = self._servers[self._master]
        match fault.kind:
            case Kind.RESTART:
                server.restart()
            case Kind.KILL:
                server.kill()
            case Kind.MEMORY:
                self._fill(fault.seconds)
            case Kind.FREEZE:
                with server.frozen():
                    time.sleep(fault.seconds)
            case Kind.FAILOVER:
                self._fail_over()
            case _:
                raise ValueError(f"a Redis has no {fault.kind}")

    def _fill(self, seconds: float) -> None:
        with Redis.from_url(self._valkeys[self._master].url) as redis:
            redis.config_set("maxmemory", 1)
            time.sleep(seconds)
            redis.config_set("maxmemory", 0)

    def _fail_over(self) -> None:
        old, new = self._valkeys[self._master], self._valkeys[1 - self._master]
        asyncio.run(promote(new, old))
        self._address.lead_to(new)
        self._master = 1 - self._master


class RabbitMQNode:
    """Only a broker; cache and records are in a Redis without faults."""

    kinds = frozenset({Kind.RESTART, Kind.KILL, Kind.MEMORY, Kind.DISK, Kind.FREEZE})
    settings: Mapping[str, str] = {"GATEWAY_BROKER_QUEUE_TYPE": "classic"}

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        """Start it; it ends with the stack."""
        redis = Valkey(directory / "valkey", free_port())
        stack.enter_context(Part(redis.command(), directory))
        self._node = RabbitMQ.below(directory / "rabbitmq")
        stack.enter_context(Part(self._node.epmd(), directory))
        self._server = _Server(self._node.command, directory)
        stack.callback(self._server.stop)
        self.redis_url, self.broker_url = redis.url, self._node.url

    def strike(self, fault: Fault) -> None:
        """Cause the fault, and end it."""
        alarms: dict[Kind, Callable[[], AbstractContextManager[None]]] = {
            Kind.MEMORY: self._node.memory_alarm,
            Kind.DISK: self._node.disk_alarm,
            Kind.FREEZE: self._server.frozen,
        }
        match fault.kind:
            case Kind.RESTART:
                self._server.restart()
            case Kind.KILL:
                self._server.kill()
            case kind if kind in alarms:
                with alarms[kind]():
                    time.sleep(fault.seconds)
            case _:
                raise ValueError(f"a RabbitMQ has no {fault.kind}")


class QuorumNode(RabbitMQNode):
    """The same with quorum queues, in a cluster with one node."""

    settings: Mapping[str, str] = {"GATEWAY_BROKER_QUEUE_TYPE": "quorum"}


ENGINES: Final[dict[str, type[RedisPair] | type[RabbitMQNode]]] = {
    "redis": RedisPair,
    "rabbitmq": RabbitMQNode,
    "quorum": QuorumNode,
}
