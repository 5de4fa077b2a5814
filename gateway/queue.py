"""Sends tasks to the broker: a name and the ids of uploads, never on the event loop.

A message is only a hint. The record is authoritative, and the sweeper sends again what a broker has
lost.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

from amqp.exceptions import NotFound
from celery import Celery
from kombu import Connection, Producer, Queue
from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import TimeoutError as RedisTimeout

from gateway.brokers import amqp, known
from gateway.brokers.faults import explained
from gateway.brokers.gathering import Gatherer, Gathering, Message
from gateway.brokers.options import (
    DEFAULTS,
    BrokerOptions,
    connection_settings,
    queue_arguments,
    transport_options,
)
from gateway.causes import causes_of
from gateway.errors import QueueUnavailable
from gateway.metrics.catalogue import BROKER_REFUSES, LOST_MESSAGES
from gateway.redis import transport
from gateway.telemetry import get_logger

log = get_logger(__name__)

QUEUES: Final = tuple(
    f"uploads.{step}"
    for step in ("inspect", "register", "audit", "resume", "remove", "notify", "sweep")
)
"""One queue for each task, with the task's name: a backlog in one does not block the others."""

STEP_LIMIT: Final = 600
"""The longest that one step may take; then its message goes to another worker."""

_PROBE = "uploads.probe"
_PROBE_SECONDS = 60.0
_NOTHING = "uploads.resume"
"""A task that does nothing if its upload does not exist."""
_NOBODYS = "uploads.nobody"
"""No queue is bound to this name: the broker accepts a message to it and drops it."""

_CAPACITY = 10_000
_CONNECTIONS = 2
"""One connection to send on, and one to check whether the broker accepts anything."""

_SOCKET_SECONDS = 5

_SHOWN: Final = 8


def celery_settings(broker_url: str, options: BrokerOptions = DEFAULTS) -> Mapping[str, Any]:
    """Settings shared by senders and workers; they also keep a faulty broker from blocking them."""
    transport.be_known()
    known.be_known()
    url, of_redis = transport.for_kombu(broker_url, options.redis_prefix)
    arguments = queue_arguments(broker_url, options)
    return {
        **({"broker_url": url} if of_redis else connection_settings(broker_url)),
        "broker_connection_timeout": _SOCKET_SECONDS,
        "broker_connection_retry_on_startup": True,
        # A worker reconnects after any error of the broker, however long it was down.
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            "visibility_timeout": 2 * STEP_LIMIT,
            "socket_timeout": _SOCKET_SECONDS,
            "socket_connect_timeout": _SOCKET_SECONDS,
            "confirm_publish": True,  # Redis answers anyway, AMQP only on request
            "write_timeout": _SOCKET_SECONDS,  # for AMQP, as well as gateway.brokers
            # Without these two, a dead worker's tasks return only minutes after the timeout.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            **of_redis,
            **transport_options(broker_url, options, QUEUES),
        },
        "task_queues": [
            Queue(name, routing_key=name, queue_arguments=arguments) for name in QUEUES
        ],
        "task_default_exchange": "uploads",
        "task_routes": (_own_queue,),
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
    }


def _own_queue(name: str, *_: object, **__: object) -> Mapping[str, str]:
    return {"queue": name}


_Result = TypeVar("_Result")


class TaskQueue:
    """Sends tasks from one thread; tasks with the same name are sent in order."""

    def __init__(
        self,
        broker_url: str,
        gatherings: Mapping[str, Gathering],
        options: BrokerOptions = DEFAULTS,
    ) -> None:
        """Connect to the broker when the first task is sent.

        Tasks with a name in `gatherings` take a list of ids; all others take one id.
        """
        self._app = Celery(set_as_current=False)
        self._app.conf.update(celery_settings(broker_url, options))
        # Not kombu's own pool, which the whole process shares: this one can be closed.
        self._connections = self._app.connection_for_write().Pool(_CONNECTIONS)
        self._given: deque[tuple[str, str]] = deque()
        self._given_alone: deque[tuple[str, str]] = deque()
        self._gatherer = Gatherer(gatherings)
        self._offers: dict[tuple[str, str], str] = {}
        self._changed = threading.Condition()
        self._wakes_at = -math.inf
        """When the thread reads what it was given again; it also does so before it sleeps."""
        self._closing = False
        self._takes = True
        self._thread = threading.Thread(target=self._send_all, name="task-queue", daemon=True)
        self._thread.start()

    def send(self, name: str, upload_id: str, offer: str | None = None) -> None:
        """Have the named task run for the upload. Never blocks.

        `offer`: the sealed record of the upload, for a task that takes them.
        """
        if len(self._given) >= _CAPACITY:
            _drop(name, upload_id)
            return
        if offer is not None:
            self._offers[name, upload_id] = offer
        self._given.append((name, upload_id))
        # Read only now: the thread sets `_wakes_at` before it reads `_given`.
        if self._gatherer.due_of(name) < self._wakes_at:
            self._wake()

    def send_alone(self, name: str, upload_id: str) -> None:
        """Like `send`, in a message that has no other upload, whatever the task. Never blocks.

        If the upload kills the process that handles the message, it delays no other one.
        """
        if len(self._given_alone) >= _CAPACITY:
            _drop(name, upload_id)
            return
        self._given_alone.append((name, upload_id))
        self._wake()

    def depth(self) -> int:
        """How many messages wait for a worker. Blocks; raises QueueUnavailable."""
        return sum(self.depths().values())

    def depths(self) -> Mapping[str, int]:
        """How many messages wait in each queue. Blocks; raises QueueUnavailable."""
        try:
            with self._app.connection_for_read() as connection:
                connection.ensure_connection(max_retries=1, timeout=_SOCKET_SECONDS)
                return {name: _waiting(connection, name) for name in QUEUES}
        except Exception as error:  # each kind of broker has its own errors
            raise QueueUnavailable(f"the broker cannot be checked: {explained(error)}") from error

    def check(self) -> None:
        """Raises QueueUnavailable if the broker accepts no messages. Blocks for some seconds.

        Uses a connection on which tasks are sent: a broker that accepts no new connections may
        still serve an open one. Declaring a queue again changes nothing, but takes as much of Redis
        as a message does. RabbitMQ accepts a declaration even while it has an alarm and accepts no
        messages.
        """
        try:
            taken = self._connected(self._takes_any, again_if_late=False)
        except Exception as error:  # each kind of broker has its own errors
            self._note(taken=False)
            raise QueueUnavailable(explained(error)) from error
        self._note(taken=taken)
        if not taken:
            raise QueueUnavailable(
                "the broker has an alarm for memory or disk: it accepts no messages"
            )

    def warn_if_unusable(self) -> None:
        """Log in one line what is wrong with a broker that cannot be used. Blocks as `check` does.

        The caller starts anyway: the broker may start a moment later, or be reconfigured.
        """
        try:
            self.check()
        except QueueUnavailable as error:
            log.warning("broker.unusable", error=str(error))

    def probe(self) -> None:
        """Send a message and receive it, through a queue made for it. Blocks for some seconds.

        Also compares the existing queues with the ones that would be declared. SQS may not allow
        the user to make a queue: there, a worker receives a task for an upload that does not exist.
        Raises QueueUnavailable if the message does not arrive.
        """
        queues = self._app.amqp.queues
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=_SOCKET_SECONDS)
                if _is_rabbitmq(connection):
                    for each in queues.values():
                        _compare(connection, each)
                if connection.transport.driver_type == "sqs":
                    channel = cast(Any, connection.default_channel)
                    for name in QUEUES:
                        channel.compare(name)
                    self._send_task(_NOTHING, [_PROBE])
                    arrived = True
                else:
                    arguments = queues[QUEUES[0]].queue_arguments or {}
                    arrived = _comes_back(connection, f"{_PROBE}.{uuid4().hex}", arguments)
        except Exception as error:  # as above; the error names the missing right
            raise QueueUnavailable(explained(error)) from error
        if not arrived:
            raise QueueUnavailable("the broker did not receive a message that was sent")

    def close(self, patience: float = 5.0) -> None:
        """Send what is still queued, for at most `patience` seconds, and disconnect."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)

    def _wake(self) -> None:
        with self._changed:
            self._wakes_at = -math.inf
            self._changed.notify()

    def _send_all(self) -> None:
        while messages := self._wait():
            for message in messages:
                self._send(message)
        self._connections.force_close_all()

    def _wait(self) -> list[Message]:
        """The messages that are due; none once the queue is closed."""
        with self._changed:
            while True:
                self._wakes_at = math.inf
                for _ in range(len(self._given)):
                    self._gatherer.add(*self._given.popleft())
                for _ in range(len(self._given_alone)):
                    self._gatherer.add_alone(*self._given_alone.popleft())
                now, due = time.monotonic(), self._gatherer.due()
                if due <= now or self._closing:
                    self._wakes_at = -math.inf
                    return self._gatherer.take(now, all_of_them=self._closing)
                self._wakes_at = due
                self._changed.wait(None if due == math.inf else due - now)

    def _send(self, message: Message) -> None:
        name, ids = message
        try:
            task_id = f"{name}:{ids if isinstance(ids, str) else ids[0]}"
            self._send_task(name, [ids, *self._offers_of(name, ids)], task_id)
        except Exception as error:  # noqa: BLE001 - whatever a broker does, the next is sent too
            self._note(taken=False)
            LOST_MESSAGES.add()
            log.warning("queue.unavailable", task=name, upload_ids=ids, error=explained(error))
        else:
            self._note(taken=True)

    def _offers_of(self, name: str, ids: str | list[str]) -> list[dict[str, str]]:
        """The offers for these uploads, as a list of one argument; empty if there are none."""
        found = {
            upload_id: offer
            for upload_id in ([ids] if isinstance(ids, str) else ids)
            if (offer := self._offers.pop((name, upload_id), None)) is not None
        }
        return [found] if found else []

    def _send_task(self, name: str, args: Sequence[object], task_id: str | None = None) -> None:
        def send(connection: Connection) -> None:
            producer = Producer(connection)
            self._app.send_task(
                name,
                args,
                task_id=task_id,
                producer=producer,
                retry=False,
                argsrepr=_shown(args[0]),
                kwargsrepr="{}",
            )

        self._connected(send)

    def _takes_any(self, connection: Connection) -> bool:
        connection.ensure_connection(max_retries=1, timeout=_SOCKET_SECONDS)
        return _takes(connection, self._app.amqp.queues[QUEUES[0]])

    def _connected(
        self, do: Callable[[Connection], _Result], *, again_if_late: bool = True
    ) -> _Result:
        """Call `do` with a connection; again if that had been open, and turns out to be cut.

        A connection that a firewall has forgotten only times out, as one to a hanging broker does:
        `again_if_late` says whether `do` may take twice as long because of that.
        """
        while True:
            with self._connections.acquire(block=True) as connection:
                stood = connection.connected
                try:
                    return do(connection)
                except Exception as error:
                    if not _was_cut(connection, error):
                        raise
                    connection.collect()
                    if not stood or (not again_if_late and _is_late(error)):
                        raise

    def _note(self, *, taken: bool) -> None:
        """Count whether the broker accepts messages, if that has changed."""
        if taken is not self._takes:
            self._takes = taken
            BROKER_REFUSES.set(to=0.0 if taken else 1.0)


def _drop(name: str, upload_id: str) -> None:
    LOST_MESSAGES.add()
    log.warning("queue.full", task=name, upload_id=upload_id)


def _shown(ids: object) -> str:
    """The arguments that Celery's tools show for a task: only ids, and only the first of many."""
    if isinstance(ids, list) and len(ids) > _SHOWN:
        return repr([[*ids[:_SHOWN], "..."]])
    return repr([ids])


def _takes(connection: Connection, queue: Queue) -> bool:
    """Whether the broker accepts something that changes nothing. Raises the broker's own errors."""
    native = connection.connection
    if not isinstance(native, amqp.Connection):
        queue(connection.default_channel).declare()
        return True
    if native.is_blocked():  # the broker would not answer
        return False
    declared = queue(connection.default_channel)
    declared.declare()
    Producer(connection.default_channel, declared.exchange).publish(b"", routing_key=_NOBODYS)
    return not native.is_blocked()


def _was_cut(connection: Connection, error: Exception) -> bool:
    # Celery wraps every error in an OperationalError.
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    return isinstance(cause, connection.connection_errors)


def _is_late(error: Exception) -> bool:
    return any(isinstance(each, TimeoutError | RedisTimeout) for each in causes_of(error))


def _is_rabbitmq(connection: Connection) -> bool:
    return isinstance(connection.connection, amqp.Connection)


def _compare(connection: Connection, queue: Queue) -> None:
    """Raises an error of the broker if the queue or its exchange exists with other properties."""
    for part, look in ((queue.exchange, "declare"), (queue, "queue_declare")):
        with cast(Any, connection.channel()) as channel:
            try:
                getattr(part(channel), look)(passive=True)
            except NotFound:
                return
        with cast(Any, connection.channel()) as channel:
            getattr(part(channel), look)()


def _comes_back(connection: Connection, name: str, arguments: Mapping[str, str]) -> bool:
    """Whether a message to a new queue of that name can be received from it."""
    if _is_rabbitmq(connection):  # RabbitMQ's quorum queues cannot be exclusive
        made = Queue(name, queue_arguments=arguments, expires=_PROBE_SECONDS)
    else:
        made = Queue(name, exclusive=True, auto_delete=True)
    queue = made(connection.channel())
    queue.declare()
    try:
        Producer(connection).publish("probe", routing_key=name)
        message = queue.get()
        if message is not None:
            message.ack()
    except Exception:
        with suppress(Exception):  # it ends with its connection anyway; the first error counts
            queue.delete()
        raise
    queue.delete()
    return message is not None


def _waiting(connection: Connection, queue: str) -> int:
    with cast(
        Any, connection.channel()
    ) as channel:  # AMQP closes the channel after a question with a negative answer
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:  # no such queue, so no messages
            return 0
