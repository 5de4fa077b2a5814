"""What py-amqp and Celery do wrong on RabbitMQ: if one of these fails, its guard can go."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
from amqp.exceptions import AccessRefused, RecoverableConnectionError
from celery import Celery
from celery.beat import PersistentScheduler
from celery.events.dispatcher import EventDispatcher
from kombu import Connection
from kombu.transport import pyamqp

from chaos.servers.rabbitmq import RabbitMQ
from gateway.brokers import amqp
from gateway.guards import py_amqp
from gateway.queue import celery_settings
from tests.servers.rabbitmq import started
from workers import celery_guards

pytestmark = pytest.mark.slow

ENDS_SECONDS = 60
ANSWER_SECONDS = 1.0
"""Of the guards, while the broker says nothing: the test need not wait for longer."""


@pytest.fixture(scope="module")
def node(servers_dir: Path) -> Iterator[RabbitMQ]:
    with started(servers_dir / "rabbitmq-guards") as running:
        yield running


def begun(work: Callable[[], object]) -> Thread:
    thread = Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_py_amqp_still_waits_for_an_answer_without_a_limit(
    node: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Guarded(pyamqp.Transport):
        Connection = py_amqp.AnswersInTime

    plain = Connection(node.url, transport=pyamqp.Transport)
    guarded = Connection(node.url, transport=Guarded)
    channels: list[Any] = [plain.channel(), guarded.channel()]
    monkeypatch.setattr(py_amqp, "ANSWER_SECONDS", ANSWER_SECONDS)
    with node.frozen():
        waiting = begun(lambda: channels[0].queue_declare("asked", auto_delete=True))
        with pytest.raises(RecoverableConnectionError):
            channels[1].queue_declare("asked", auto_delete=True)
        assert waiting.is_alive()  # it was asked before the other one
    waiting.join(ENDS_SECONDS)
    assert not waiting.is_alive()
    for connection in (plain, guarded):
        connection.collect()


def app_of(url: str) -> Celery:
    app = Celery("of-tests", set_as_current=False)
    app.conf.update(celery_settings(url))
    app.conf.beat_schedule = {"due": {"task": "due", "schedule": 0.01}}
    return app


def test_celery_still_tells_of_a_worker_until_the_broker_takes_it(
    node: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(node.url)
    plain, guarded = app.connection_for_write(), app.connection_for_write()
    assert isinstance(plain.connection, amqp.Connection)
    dispatchers: list[Any] = [
        EventDispatcher(plain, app=app, hostname="plain"),
        celery_guards.Dispatcher(guarded, app=app, hostname="guarded"),
    ]
    monkeypatch.setattr(py_amqp, "ANSWER_SECONDS", ANSWER_SECONDS)
    with node.memory_alarm():
        waiting = begun(lambda: dispatchers[0].send("worker-heartbeat", retry=True))
        dispatchers[1].send("worker-heartbeat", retry=True)  # tries twice, each for so long
        waiting.join(ANSWER_SECONDS)
        assert waiting.is_alive()
    waiting.join(ENDS_SECONDS)
    assert not waiting.is_alive()
    for connection in (plain, guarded):
        connection.collect()


def test_celery_still_ends_beat_if_the_broker_refuses_its_user(
    node: RabbitMQ, tmp_path: Path
) -> None:
    app = app_of(node.url.replace("guest:guest", "guest:wrong"))

    def tick(class_: type[PersistentScheduler]) -> None:
        file = str(tmp_path / class_.__module__)
        scheduler = class_(app, schedule_filename=file)
        sleep(0.02)  # it is due by then
        try:
            scheduler.tick()
        finally:
            scheduler.close()

    with pytest.raises(AccessRefused):
        tick(PersistentScheduler)
    tick(celery_guards.Scheduler)
