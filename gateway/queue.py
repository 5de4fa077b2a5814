"""Task name and upload id to the broker, never on the event loop.

Publishing is a hint: the record is the truth, and the sweeper sends again what a broker lost.
"""

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError

from gateway.errors import QueueUnavailable
from gateway.telemetry import get_logger

log = get_logger(__name__)

QUEUE_NAME: Final = "uploads"
STEP_LIMIT: Final = 600
"""Seconds that one step may take at the most; its message is given to another worker later."""

_CAPACITY = 10_000
_SOCKET_SECONDS = 5


def celery_settings(broker_url: str) -> Mapping[str, Any]:
    """What senders and workers must agree on, and what keeps a broker's fault from hanging them."""
    return {
        "broker_url": broker_url,
        "broker_connection_timeout": _SOCKET_SECONDS,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {
            "visibility_timeout": 2 * STEP_LIMIT,
            "socket_timeout": _SOCKET_SECONDS,
            "socket_connect_timeout": _SOCKET_SECONDS,
            # Without these two a dead worker's tasks come back only minutes after the timeout.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        },
        "task_default_queue": QUEUE_NAME,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
    }


@dataclass(frozen=True, slots=True)
class _Task:
    name: str
    upload_id: str
    delay: float


class TaskQueue:
    """Sends tasks from one thread, in the order in which they were given."""

    def __init__(self, broker_url: str) -> None:
        """Connect to the broker when the first task is sent."""
        self._app = Celery(set_as_current=False)
        self._app.conf.update(celery_settings(broker_url))
        self._tasks: queue.Queue[_Task | None] = queue.Queue(_CAPACITY)
        self._thread = threading.Thread(target=self._send_all, name="task-queue", daemon=True)
        self._thread.start()

    def send(self, name: str, upload_id: str, delay: float = 0.0) -> None:
        """Have the named task run for the upload, not before `delay` seconds. Never blocks."""
        try:
            self._tasks.put_nowait(_Task(name, upload_id, delay))
        except queue.Full:
            log.warning("queue.full", task=name, upload_id=upload_id)

    def check(self) -> None:
        """Raises QueueUnavailable where the broker cannot be reached. Blocks for some seconds."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=_SOCKET_SECONDS)
        except (OperationalError, OSError) as error:
            raise QueueUnavailable("the broker cannot be reached") from error

    def close(self, patience: float = 5.0) -> None:
        """Send what is still to be sent, for at most `patience` seconds."""
        try:
            self._tasks.put(None, timeout=patience)
        except queue.Full:
            return
        self._thread.join(patience)

    def _send_all(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._send(task)

    def _send(self, task: _Task) -> None:
        try:
            self._app.send_task(
                task.name,
                args=[task.upload_id],
                countdown=task.delay or None,
                retry=False,
            )
        except (OperationalError, OSError) as error:
            log.warning(
                "queue.unavailable", task=task.name, upload_id=task.upload_id, error=repr(error)
            )
