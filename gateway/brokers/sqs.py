"""Celery's broker on SQS, for kombu: each queue is polled by a thread of its own.

kombu itself has two ways. One polls the queues in turn, so that each queue waits for all empty
ones. The other needs libcurl, stops polling a queue after a late answer or an error, and begins
another poll each time that a queue is consumed from again.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final

from botocore.exceptions import ClientError
from kombu.transport import SQS as kombu  # noqa: N811 - the module is called so

from gateway.guards.kombu_sqs import RemadeQueues

_LARGEST_ANSWER: Final = 10
_PAUSE: Final = 0.1


class Channel(RemadeQueues):
    """Consumes and sends messages."""

    connection: Any
    closed: bool
    qos: Any
    wait_time_seconds: int
    visibility_timeout: int
    basic_cancel: Callable[[str], None]
    sqs: Callable[..., Any]
    _consumers: Collection[str]
    _active_queues: Collection[str]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As kombu's."""
        self._held: Collection[str] = ()
        self._arrived: SimpleQueue[tuple[str, Mapping[str, Any]] | Exception] = SimpleQueue()
        self._pollers: dict[str, threading.Thread] = {}
        super().__init__(*arguments, **options)

    def hold(self, queues: Collection[str]) -> None:
        """Take no messages of these queues, and of no others, until the next call."""
        self._held = queues

    def compare(self, queue: str) -> None:
        """Raises ValueError for a queue with other attributes than kombu would give it."""
        name = self.canonical_queue_name(queue)
        if name not in self._queue_cache:
            return
        wanted = ["VisibilityTimeout"]
        answer = self.sqs(queue=name).get_queue_attributes(
            QueueUrl=self._queue_cache[name], AttributeNames=wanted
        )
        seconds = int(answer["Attributes"]["VisibilityTimeout"])
        if seconds < self.visibility_timeout:
            raise ValueError(
                f"queue {name} delivers tasks again after {seconds} s, while they are in progress:"
                f" set its VisibilityTimeout to {self.visibility_timeout}"
            )

    def basic_consume(self, queue: str, *arguments: Any, **options: Any) -> Any:
        """As kombu's."""
        tag = super().basic_consume(queue, *arguments, **options)
        poller = self._pollers.get(queue)
        if poller is None or not poller.is_alive():
            self.sqs(queue=self.canonical_queue_name(queue))  # made by one thread, used by several
            poller = threading.Thread(target=self._poll, args=(queue,), name=queue, daemon=True)
            self._pollers[queue] = poller
            poller.start()
        return tag

    def drain_events(self, timeout: float | None = None, callback: Any = None, **_: object) -> None:
        """Hand over a message that has arrived. Raises Empty, or the error of a poll."""
        if not self._pollers:
            raise Empty
        found = self._arrived.get(timeout=_PAUSE if timeout is None else min(timeout, _PAUSE))
        if isinstance(found, Exception):
            raise found
        queue, message = found
        if queue not in self._active_queues:
            self._give_back(queue, [message])
            return
        for payload in self._messages_to_python([message], queue):
            callback(payload, queue)

    def close(self) -> None:
        """As kombu's; messages that arrived in the meantime are available to others immediately."""
        if not self.closed:
            for tag in list(self._consumers):
                self.basic_cancel(tag)
            for poller in self._pollers.values():
                poller.join(self.wait_time_seconds + 1)
            self._give_back_all()
        super().close()

    def _give_back_all(self) -> None:
        while True:
            try:
                found = self._arrived.get_nowait()
            except Empty:
                return
            if not isinstance(found, Exception):
                self._give_back(found[0], [found[1]])

    def _poll(self, queue: str) -> None:
        """Take messages of the queue as long as it is consumed from. Runs in its own thread."""
        waiting = threading.Event()
        while queue in self._active_queues:
            if queue in self._held or not self._arrived.empty() or not self.qos.can_consume():
                waiting.wait(_PAUSE)
                continue
            try:
                messages = self._receive(queue)
            except Exception as error:  # noqa: BLE001 - the consuming thread raises it
                self._arrived.put(error)
                return
            if queue not in self._active_queues:
                self._give_back(queue, messages)
                return
            for message in messages:
                self._arrived.put((queue, message))

    def _receive(self, queue: str) -> list[Mapping[str, Any]]:
        answer = self.sqs(queue=self.canonical_queue_name(queue)).receive_message(
            QueueUrl=self._new_queue(queue),
            MaxNumberOfMessages=_LARGEST_ANSWER,
            WaitTimeSeconds=self.wait_time_seconds,
        )
        found: list[Mapping[str, Any]] = answer.get("Messages", [])
        return found

    def _give_back(self, queue: str, messages: Collection[Mapping[str, Any]]) -> None:
        if messages:
            self._release_messages(self._new_queue(queue), queue, messages)


class Transport(kombu.Transport):
    """The transport of `sqs://`."""

    Channel = Channel

    implements = kombu.Transport.implements.extend(asynchronous=False)
    connection_errors = (*kombu.Transport.connection_errors, ClientError)
