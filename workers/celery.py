"""The Celery application: `celery -A workers worker`, `celery -A workers beat`."""

import asyncio
import os
import sys
import threading
from typing import Any, Final

from celery import Celery
from celery.concurrency import get_implementation
from celery.signals import (
    beat_init,
    setup_logging,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from gateway import queue
from gateway.errors import ConfigurationError
from gateway.settings import load, unknown_names
from gateway.telemetry import configure_logs, get_logger
from gateway.uploads.lifecycle import Step
from workers import runtime, shares
from workers.announcing import Announcing
from workers.libmagic.process import check
from workers.metrics import WorkerMetrics

POOLS: Final = ("threads", "processes", "solo")

try:
    _settings = load()
except ConfigurationError as error:  # Celery would print a traceback of its own import
    sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
_metrics = WorkerMetrics()
_announcing = Announcing(_settings)

app = Celery("workers", include=["workers.tasks"], events="workers.celery_guards:Events")
app.conf.update(queue.celery_settings(_settings.broker, _settings.broker_options))
app.conf.update(
    task_acks_late=True,
    # Without it, a task is acknowledged and lost if its pool child is killed.
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # Steps wait for the store and the upstream, so threads over one event loop carry many of
    # them at a time, and share one set of connections.
    worker_pool="threads",
    worker_concurrency=32,
    worker_send_task_events=False,
    worker_consumer="workers.celery_guards:Consumer",
    beat_scheduler="workers.celery_guards:Scheduler",
    beat_schedule={
        # It must not expire: a worker with a fast clock would never sweep.
        "sweep": {"task": Step.SWEEP.value, "schedule": _settings.sweep_interval}
    },
)
app.steps["consumer"].add(shares.Shares)


@worker_init.connect  # the first of its receivers: the others log
@setup_logging.connect
def _configure_logs(**_: object) -> None:
    configure_logs(_settings.log_level, _settings.log_levels)


@worker_init.connect
@beat_init.connect
def _tell_unknown_names(**_: object) -> None:
    for name, hint in unknown_names(os.environ).items():
        get_logger(__name__).warning("settings.unknown", name=name + hint)


@worker_init.connect
def _refuse_other_pools(sender: Any, **_: object) -> None:
    """Refuse other pools: steps run on an event loop next to the pool's threads."""
    pool = get_implementation(sender.pool_cls)
    if pool not in map(get_implementation, POOLS):
        raise SystemExit(f"the worker does not start: its pool may be {', '.join(POOLS)}")


@worker_init.connect
def _greet_nobody(sender: Any, **_: object) -> None:
    """Send no greetings: workers have nothing to report to each other.

    A full broker would block the greeting that a worker sends before it consumes, and the worker
    could then not make room by consuming.
    """
    sender.options.update(without_mingle=True, without_gossip=True)


@worker_init.connect
def _refuse_without_libmagic(**_: object) -> None:
    try:
        means = asyncio.run(check())
    except (ConfigurationError, OSError) as error:
        # Celery logs an exception here and goes on; with no libmagic every task would fail.
        raise SystemExit(f"the worker does not start: {error}") from None
    if "seccomp" not in means:
        get_logger(__name__).warning("libmagic.without_seccomp", confined=means)


@worker_init.connect
def _tell_metrics(**_: object) -> None:
    if port := _settings.worker_metrics_port:
        try:
            _metrics.serve(_settings.host, port)
        except OSError as error:
            raise SystemExit(f"the worker cannot serve metrics on port {port}: {error}") from None


@worker_init.connect
@beat_init.connect
def _look_at_broker(**_: object) -> None:
    sender = queue.TaskQueue(_settings.broker, {}, _settings.broker_options)
    sender.warn_if_unusable()
    sender.close()


@worker_process_init.connect
def _begin_child(**_: object) -> None:
    _metrics.begin_child()


@worker_ready.connect
def _say_ready(**_: object) -> None:
    get_logger(__name__).info("worker.ready")
    _announcing.begin()


_told_to_stop = threading.Event()


@worker_shutting_down.connect
def _drain(**_: object) -> None:
    """Let steps in progress finish within the time limit; a second signal ends that, too."""
    if _told_to_stop.is_set():
        runtime.interrupt()
        return
    _told_to_stop.set()
    limit = threading.Timer(_settings.drain_timeout, runtime.interrupt)
    limit.daemon = True
    limit.start()


@worker_shutdown.connect
def _announce_no_longer(**_: object) -> None:
    _announcing.end()


@worker_shutdown.connect
@worker_process_shutdown.connect
def _close(**_: object) -> None:
    runtime.close()
    _metrics.close()
