"""How much of a worker each queue may occupy, so that none of them blocks the others.

A slow ChatKitty makes registrations pile up, and an outage makes audits pile up; new uploads must
be inspected all the same. A worker does not ask a queue for more than its share: further messages
stay with the broker, where another worker can take them. RabbitMQ itself holds back messages beyond
a consumer's prefetch count; for other brokers, the worker stops consuming the queue.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from celery import bootsteps
from celery.worker import state

from gateway.uploads.lifecycle import Step
from workers import runtime

_FIRST: Final = Step.INSPECT
"""The queue that may use all of a worker: clients wait for its tasks."""

_LOOK_SECONDS: Final = 0.01
"""How late it is noticed that a queue has done some of its share."""

_SHORT_BRPOP: Final = 0.05
"""How long Redis is asked for messages while a queue is closed: so late is it asked for that one's
again. With kombu's whole second, a worker would do no more than one share of it in a second.
"""

_state: Final[Any] = state  # its type stubs are incomplete


def share(slots: int) -> int:
    """How many of a worker's slots one queue may occupy if there are others; at least one."""
    return max(1, slots // 4)


def open_queues(running: Mapping[str, int], slots: int, chosen: Collection[str]) -> set[str]:
    """The queues of the worker (`chosen`) that may be asked for more tasks. Pure.

    `running` is the number of tasks of each in progress. A worker for one queue has no shares.
    """
    if len(chosen) == 1:
        return set(chosen)
    most = share(slots)
    return {name for name in chosen if name == _FIRST or running.get(name, 0) < most}


def prefetch_count(name: str, slots: int, chosen: Collection[str]) -> int:
    """How many unfinished tasks of a queue the worker may hold. Pure."""
    return slots if name == _FIRST or len(chosen) == 1 else share(slots)


class Shares(bootsteps.StartStopStep):
    """The part of a Celery worker that consumes only from the open queues."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: object) -> None:
        """Check each task that is started, for it may be the last of a share."""
        super().__init__(consumer)
        self._next_look: Any = None
        consumer.on_task_message.add(lambda _: self._look(consumer))

    def start(self, consumer: Any) -> None:
        """Limit inspections that register at once to a share."""
        runtime.have_turns(share(consumer.pool.num_processes))
        if _counts_by_consumer(consumer):
            _prefetch_shares(consumer)

    def stop(self, _: Any) -> None:
        """Stop checking: nothing may be consumed from now on."""
        self._cancel()

    def _look(self, consumer: Any) -> None:
        """Consume from the open queues; check again soon while one of them is closed."""
        self._cancel()
        tasks, queues = consumer.task_consumer, consumer.app.amqp.queues.consume_from
        if tasks is None:  # the connection was lost; the next one starts afresh
            return
        if _counts_by_consumer(consumer):
            return
        wanted = open_queues(_running(), consumer.pool.num_processes, queues)
        # Before the broker is asked, who may refuse: then it is asked again.
        self._next_look = consumer.timer.call_after(_LOOK_SECONDS, self._look, (consumer,))
        _consume(tasks, queues, wanted)
        if len(wanted) == len(queues):
            self._cancel()

    def _cancel(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None


def _counts_by_consumer(consumer: Any) -> bool:
    return bool(consumer.connection.transport.driver_type == "amqp")


def _prefetch_shares(consumer: Any) -> None:
    """Have RabbitMQ hold back what is more than a queue's share.

    A prefetch count that is not global is that of each consumer which is made after it
    (https://www.rabbitmq.com/docs/consumer-prefetch); quorum queues know no other.
    """
    tasks, slots = consumer.task_consumer, consumer.pool.num_processes
    queues = consumer.app.amqp.queues.consume_from
    begin = tasks._basic_consume

    def begin_with_share(queue: Any, **options: Any) -> Any:
        count = prefetch_count(queue.name, slots, queues)
        tasks.qos(prefetch_count=count, apply_global=False)
        return begin(queue, **options)

    tasks._basic_consume = begin_with_share


def _consume(tasks: Any, queues: Mapping[str, Any], wanted: Collection[str]) -> None:
    if (hold := getattr(tasks.channel, "hold", None)) is not None:  # SQS
        hold(set(queues).difference(wanted))
        return
    closed = set(queues).difference(wanted)
    if hasattr(tasks.channel, "brpop_timeout"):  # Redis
        usual = tasks.channel.connection.brpop_timeout
        tasks.channel.brpop_timeout = _SHORT_BRPOP if closed else usual
    for name in closed:
        if tasks.consuming_from(name):
            tasks.cancel_by_queue(name)
    if missing := [name for name in wanted if not tasks.consuming_from(name)]:
        for name in missing:
            tasks.add_queue(queues[name])
        tasks.consume()


def _running() -> Mapping[str, int]:
    """How many tasks of each queue are in progress, without those that wait for their time."""
    # Threads that finish a task remove it; making a list is atomic.
    return Counter(
        request.delivery_info["routing_key"]
        for request in list(_state.requests.values())
        if request not in _state.scheduled_requests
    )
