"""Guards against faults of Celery's worker and beat: `gateway.guards` lists them with all others.

Celery reconnects after errors that its transport attributes to the broker. Any other error ends the
worker, and so does one that occurs while it cleans up.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, Final

from billiard.exceptions import WorkerLostError
from celery import bootsteps
from celery.app.events import Events as CelerysEvents
from celery.beat import PersistentScheduler
from celery.events.dispatcher import EventDispatcher
from celery.exceptions import WorkerTerminate
from celery.worker import state
from celery.worker.consumer.consumer import Consumer as CelerysConsumer

from gateway.brokers import amqp
from gateway.brokers.faults import explained
from gateway.descriptors import ran_out
from gateway.telemetry import get_logger

log = get_logger(__name__)

_base: Final[Any] = CelerysConsumer  # its type stubs are incomplete

_dispatcher: Final[Any] = EventDispatcher
_steps: Final[Any] = bootsteps
_PAUSE: Final = 2.0
_RETRY: Final = 2.0
_SILENCE: Final = 60.0
_LOOK: Final = 0.1


class Blueprint(_base.Blueprint):  # type: ignore[misc]
    """The parts of a worker's consumer, but for one that would declare 28 more quorum queues.

    Fault: they are for tasks with a delay, of which there are none here, and no setting leaves
    them out where there are quorum queues. Seen in celery 5.7.0.
    Reported: https://github.com/celery/celery/pull/9599 (in its comments)
    """

    default_steps: ClassVar = [
        step for step in _base.Blueprint.default_steps if "delayed_delivery" not in step
    ]


class Consumer(_base):  # type: ignore[misc]
    """The part of a worker that is connected to the broker: goes on, whatever the broker does.

    Fault: Celery's ends the worker for what a full, read-only or loading Redis says, for a
    refusal of RabbitMQ's, for whatever goes wrong while it cleans up after a lost connection, and,
    on purpose, where no file descriptor is left for the next one. Seen in celery 5.7.0.
    Reported: https://github.com/celery/celery/issues/5716,
    https://github.com/celery/celery/issues/7946, https://github.com/celery/kombu/issues/582,
    https://github.com/celery/celery/issues/10340
    """

    Blueprint = Blueprint
    connection: Any

    def start(self) -> None:
        """Consume until the worker is asked to stop, however often it has to reconnect."""
        while self.blueprint.state not in (_steps.CLOSE, _steps.TERMINATE):
            try:
                super().start()
            except WorkerLostError:  # the pool has no processes: nothing would ever be done
                raise
            except WorkerTerminate as end:
                if end.__cause__ is None or not ran_out(end.__cause__):
                    raise
                self._begin_anew(end.__cause__)
            except Exception as error:  # noqa: BLE001 - each kind of broker has its own
                self._begin_anew(error)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Log what to change, which Celery's own lines do not say; then it reconnects."""
        ran_out(exc)
        log.warning("broker.unusable", error=explained(exc))
        super().on_connection_error_after_connected(exc)

    def ensure_connected(self, conn: Any) -> Any:
        """Connect; the pauses between attempts, which Celery lets grow to 30 s, stay short."""
        conn.ensure_connection = partial(
            conn.ensure_connection, interval_start=_RETRY, interval_step=0, interval_max=_RETRY
        )
        return super().ensure_connected(conn)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Log it if there is no file descriptor for a connection."""
        ran_out(exc)
        super().on_connection_error_before_connected(exc)

    def _begin_anew(self, error: BaseException) -> None:
        log.error("worker.broker_fault", error=explained(error), exc_info=error)
        self._forget_connection()
        _pause()

    def _forget_connection(self) -> None:
        """Clean up as Celery does after an error that it knows; each step may fail as well."""
        connection, self.connection = self.connection, None
        clean = [
            *([connection.collect] if connection is not None else []),
            self.on_close,
            self._cancel_connection_timer_entries,
            lambda: self.blueprint.restart(self),
        ]
        for step in clean:
            try:
                step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next is done, too
                log.warning("worker.not_clean", error=repr(error))


class Dispatcher(_dispatcher):  # type: ignore[misc]
    """Announces the worker to others every 2 s: one try each, and a pause if it fails.

    Fault: Celery's worker retries until the broker accepts it, and keeps it for later. In the
    meantime it receives no message, and does not stop when asked to. Seen in celery 5.7.0.
    Not reported; of the same kind: https://github.com/celery/celery/issues/10273
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "buffer_while_offline": False})
        self._silent_until = 0.0

    def _publish(
        self, event: object, producer: Any, routing_key: str, *, retry: bool = False, **_: object
    ) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            native = self.connection.connection
            if not (isinstance(native, amqp.Connection) and native.is_blocked()):
                once = {"max_retries": 1}
                super()._publish(event, producer, routing_key, retry=retry, retry_policy=once)
        except Exception as error:  # noqa: BLE001 - each kind of broker has its own
            self._silent_until = time.monotonic() + _SILENCE
            log.debug("worker.event_lost", error=repr(error))


class Events(CelerysEvents):
    """Where Celery looks for that."""

    dispatcher_cls = "workers.celery_guards:Dispatcher"


class Scheduler(PersistentScheduler):
    """Gives beat the next task that is due: continues, whatever the broker does.

    Fault: what is no failure of the connection ends it as it connects: a RabbitMQ that refuses the
    user, say. The task that was due is then out of its heap, and its time unknown. A schedule that
    cannot be written, on a full disk or without a file descriptor, ends it too. A signal's
    exception can be lost in there as well. A signal that comes while beat opens its schedule has
    that opened once more, and closed, in the middle of it. Seen in celery 5.7.0.
    Not reported.
    """

    _closed = False

    def setup_schedule(self) -> None:
        """Open the file of what was sent when; a signal to end waits until it is open."""
        with _signals_later(signal.SIGTERM, signal.SIGINT):
            super().setup_schedule()

    def close(self) -> None:
        """Keep what was sent when, and send no more."""
        self._closed = True
        super().close()

    def sync(self) -> None:
        """Write down what was sent when; what cannot be written now is written the next time."""
        try:
            super().sync()
        except Exception as error:  # noqa: BLE001 - each kind of file has its own
            ran_out(error)
            log.warning("beat.not_kept", error=repr(error))

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Send what is due; seconds until it is to be asked again."""
        try:
            seconds: float = super().tick(*arguments, **options)
        except Exception as error:
            if self._closed:  # by a signal; its own exception was swallowed
                raise SystemExit(0) from error
            ran_out(error)
            log.exception("beat.broker_fault", error=explained(error))
            self._forget_connection()
            return _PAUSE
        return seconds

    def _forget_connection(self) -> None:
        """As above, of the connection by which it sends."""
        self.__dict__.pop("producer", None)
        connection = self.__dict__.pop("connection", None)
        self._heap = None  # the task to be sent was already removed from it
        if connection is not None:
            try:
                connection.collect()
            except Exception as error:  # noqa: BLE001 - as above
                log.warning("beat.not_clean", error=repr(error))


@contextmanager
def _signals_later(*numbers: signal.Signals) -> Iterator[None]:
    """Have the signals wait until the end."""
    came: list[int] = []
    handlers = {
        each: signal.signal(each, lambda number, _: came.append(number)) for each in numbers
    }
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in came:
            signal.raise_signal(number)


def _pause() -> None:
    """Wait a moment. Raises SystemExit if the worker must stop."""
    until = time.monotonic() + _PAUSE
    while time.monotonic() < until:
        state.maybe_shutdown()
        time.sleep(_LOOK)
