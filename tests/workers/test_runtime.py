"""Work when a worker ends: what has begun is cancelled, what has not never begins."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from workers import runtime
from workers.runtime import Interrupted, WorkerServices


@pytest.fixture
def own(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A runtime that nobody has used or interrupted."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(runtime, "_interrupted", threading.Event())
    yield
    runtime.close()


@pytest.mark.usefixtures("own")
def test_work_in_progress_is_cancelled_and_none_begins_afterwards() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def forever(_: WorkerServices) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    thread = threading.Thread(target=runtime.run, args=(forever,))
    thread.start()
    assert begun.wait(60)
    runtime.interrupt()
    thread.join(60)
    assert cancelled.is_set()
    with pytest.raises(Interrupted):
        runtime.run(forever)


@pytest.mark.usefixtures("own")
def test_a_runtime_that_is_stopped_before_it_exists_begins_nothing() -> None:
    async def never(_: WorkerServices) -> None:
        raise AssertionError

    runtime.interrupt()
    with pytest.raises(Interrupted):
        runtime.run(never)


@pytest.mark.usefixtures("own")
def test_a_cancellation_that_is_lost_is_followed_by_another() -> None:
    begun = threading.Event()
    lost = 0

    async def stubborn(_: WorkerServices) -> None:
        """As it goes with `asyncio.wait_for` of Python 3.11, where that was just done."""
        nonlocal lost
        begun.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost > 1:
                    raise

    thread = threading.Thread(target=runtime.run, args=(stubborn,), daemon=True)
    thread.start()
    assert begun.wait(60)
    runtime.interrupt()
    thread.join(60)
    assert not thread.is_alive()
    assert lost == 2
