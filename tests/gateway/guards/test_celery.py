"""What Celery's worker and beat do wrong: a test that fails here says that its guard can go."""

import shelve
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app import defaults
from celery.beat import PersistentScheduler
from celery.worker.consumer.consumer import Consumer as CelerysConsumer

from workers import guards


@contextmanager
def handled(seen: list[bool], scheduler: Any) -> Iterator[None]:
    usual = signal.signal(signal.SIGTERM, lambda *_: seen.append(scheduler._store is not None))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


@pytest.mark.parametrize(
    ("class_", "opened"), [(PersistentScheduler, False), (guards.Scheduler, True)]
)
def test_celery_still_ends_beat_while_it_opens_its_schedule(
    tmp_path: Path, class_: type[PersistentScheduler], opened: bool
) -> None:
    class Interrupted:
        """What beat opens its file with."""

        @staticmethod
        def open(*arguments: Any, **options: Any) -> Any:
            signal.raise_signal(signal.SIGTERM)
            return shelve.open(*arguments, **options)

    scheduler: Any = class_(
        Celery(set_as_current=False), schedule_filename=str(tmp_path / "schedule"), lazy=True
    )
    scheduler.persistence = Interrupted
    seen: list[bool] = []
    with handled(seen, scheduler):
        scheduler.setup_schedule()
    scheduler.close()
    assert seen == [opened]


def test_celery_still_has_no_setting_against_queues_for_delays() -> None:
    options = {name for name in defaults.NAMESPACES["broker"] if "delayed" in name}
    assert options == {"native_delayed_delivery_queue_type"}
    upstream: Any = CelerysConsumer
    assert any("delayed_delivery" in step for step in upstream.Blueprint.default_steps)
    assert not any("delayed_delivery" in step for step in guards.Blueprint.default_steps)
