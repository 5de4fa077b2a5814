"""What Celery's worker and beat do wrong: a test that fails here says that its guard can go."""

import asyncio
import shelve
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dbm import dumb
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from celery import Celery
from celery.app import defaults
from celery.beat import PersistentScheduler
from celery.worker.consumer.consumer import Consumer as CelerysConsumer
from redis.asyncio import Redis

from gateway.stack.probes import says
from tests.degraded.conftest import Server, eventually, own_redis
from tests.degraded.test_descriptors import STEP_SECONDS, none_left
from tests.gateway.test_descriptors import none_left as no_descriptor
from tests.servers.zygote import ForkedPart
from workers import celery_guards

__all__ = ["own_redis"]


@contextmanager
def handled(seen: list[bool], scheduler: Any) -> Iterator[None]:
    usual = signal.signal(signal.SIGTERM, lambda *_: seen.append(scheduler._store is not None))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


@pytest.mark.parametrize(
    ("class_", "opened"), [(PersistentScheduler, False), (celery_guards.Scheduler, True)]
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


class Dumb:
    """What beat opens its file with where Python has nothing better: it opens files to write."""

    @staticmethod
    def open(name: str, **_: object) -> shelve.Shelf[Any]:
        return shelve.Shelf(cast(Any, dumb.open(name, "c")), writeback=True)


@pytest.mark.parametrize(
    ("class_", "ends"), [(PersistentScheduler, True), (celery_guards.Scheduler, False)]
)
def test_celery_still_ends_beat_if_its_schedule_cannot_be_written(
    tmp_path: Path, class_: type[PersistentScheduler], ends: bool
) -> None:
    scheduler: Any = class_(
        Celery(set_as_current=False), schedule_filename=str(tmp_path / "schedule"), lazy=True
    )
    scheduler.persistence = Dumb
    scheduler.setup_schedule()
    scheduler._store["changed"] = True  # else Python 3.13 has nothing to write
    with no_descriptor(), pytest.raises(OSError, match="Too many open") if ends else nullcontext():
        scheduler.sync()
    scheduler.sync()
    scheduler.close()


def test_celery_still_has_no_setting_against_queues_for_delays() -> None:
    options = {name for name in defaults.NAMESPACES["broker"] if "delayed" in name}
    assert options == {"native_delayed_delivery_queue_type"}
    upstream: Any = CelerysConsumer
    assert any("delayed_delivery" in step for step in upstream.Blueprint.default_steps)
    assert not any("delayed_delivery" in step for step in celery_guards.Blueprint.default_steps)


@pytest.mark.slow
async def test_celery_still_ends_a_worker_for_want_of_a_descriptor(
    own_redis: tuple[Server, str], tmp_path: Path
) -> None:
    url, log = own_redis[1], tmp_path / "worker.log"
    argv = ["celery.__main__", "-A", "tests.gateway.guards.plain", "worker", "-P", "threads"]
    ready = partial(says, log, 0, " ready.")
    options = [*argv, "-l", "INFO", "--without-mingle", "--without-gossip"]
    environ = {"PLAIN_BROKER_URL": url}
    with ForkedPart(options, environ, log, ready) as worker, none_left(worker) as allow_one:
        async with Redis.from_url(url) as redis:

            async def has_ended() -> bool:
                if worker.exit_status is None:
                    # A worker that has all its connections needs no descriptor.
                    await redis.client_kill_filter(skipme=True)
                    allow_one()
                    await asyncio.sleep(STEP_SECONDS)
                return worker.exit_status is not None

            await eventually(has_ended)
    assert says(log, 0, "Too many open files")  # by which of its ways it ends is a matter of luck
