"""What a file does to libmagic it does to one process, which is confined, and is replaced."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence

import psutil
import pytest

from gateway.errors import ConfigurationError, SnifferUnavailable
from tests.flows import files
from tests.flows.client import PATIENCE
from tests.servers import poisonable_libmagic as poison
from workers.libmagic import process
from workers.libmagic.confine import MEMORY
from workers.libmagic.process import (
    _LARGEST_EXCHANGE,
    COMMAND,
    KEPT,
    MOST,
    Child,
    Libmagic,
    NoAnswer,
)

pytestmark = pytest.mark.slow

POISONABLE = (*COMMAND[:-1], "tests.servers.poisonable_libmagic")
POISONS = [poison.CRASHES, poison.HANGS, poison.EATS]


@pytest.fixture
async def libmagic() -> AsyncIterator[Libmagic]:
    async with Libmagic.open(POISONABLE) as opened:
        yield opened
    assert children() == []


@pytest.fixture
async def child() -> AsyncIterator[Child]:
    started = await Child.start(POISONABLE)
    yield started
    await started.kill()


async def answer_of(child: Child, head: bytes) -> str:
    child.ask([head])
    return await anext(child.answers(1))


def children() -> list[psutil.Process]:
    """Ours with libmagic in them, zombies among them."""
    return [found for found in psutil.Process().children() if _has_libmagic(found)]


def _has_libmagic(process: psutil.Process) -> bool:
    try:
        return POISONABLE[-1] in process.cmdline()
    except psutil.ZombieProcess:
        return True
    except psutil.NoSuchProcess:  # it has just ended
        return False


@pytest.mark.parametrize("bytes_", POISONS)
async def test_what_a_file_does_to_libmagic_ends_in_no_answer(
    libmagic: Libmagic, bytes_: bytes
) -> None:
    assert await libmagic.type_of(bytes_) is None
    assert await libmagic.type_of(files.PNG) == "image/png"


async def test_others_are_answered_while_one_hangs(
    libmagic: Libmagic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ANSWER_SECONDS", 6.0)
    hanging = asyncio.create_task(libmagic.type_of(poison.WAITS))
    while len(children()) < KEPT:
        await libmagic.type_of(files.PNG)
    found = await asyncio.gather(*(libmagic.type_of(files.PNG) for _ in range(100)))
    assert found == ["image/png"] * 100
    assert not hanging.done()
    assert await hanging is None


async def test_many_waiting_callers_are_answered_by_few_children(
    libmagic: Libmagic, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = 0
    start = Child.start

    async def count(command: Sequence[str]) -> Child:
        nonlocal started
        started += 1
        return await start(command)

    monkeypatch.setattr(Child, "start", count)
    monkeypatch.setattr(process, "PATIENCE", PATIENCE)  # none is started because others are slow
    await asyncio.gather(*(libmagic.type_of(files.PNG) for _ in range(10_000)))
    assert started < KEPT


async def test_callers_that_wait_together_share_exchanges(
    libmagic: Libmagic, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []
    ask = Child.ask

    def count(child: Child, heads: Iterable[bytes]) -> None:
        asked = list(heads)
        together.append(len(asked))
        ask(child, asked)

    monkeypatch.setattr(Child, "ask", count)
    monkeypatch.setattr(process, "PATIENCE", PATIENCE)  # none is asked again because one is slow
    kinds = [files.PNG, files.PDF, bytes(20_000)] * 16
    found = await asyncio.gather(*map(libmagic.type_of, kinds))
    assert found == ["image/png", "application/pdf", "application/octet-stream"] * 16
    assert together == [_LARGEST_EXCHANGE] * 3


@pytest.mark.parametrize("bytes_", [*POISONS, poison.SLEEPS])
@pytest.mark.parametrize("at", [0, 7, _LARGEST_EXCHANGE - 1])
async def test_a_poisonous_upload_does_not_end_its_neighbours(
    libmagic: Libmagic, bytes_: bytes, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ANSWER_SECONDS", 5.0)
    kinds = [files.PNG] * _LARGEST_EXCHANGE
    kinds[at] = bytes_
    expected: list[str | None] = ["image/png"] * _LARGEST_EXCHANGE
    expected[at] = None
    assert await asyncio.gather(*map(libmagic.type_of, kinds)) == expected


async def test_several_poisons_of_one_exchange_are_found(libmagic: Libmagic) -> None:
    kinds = [poison.CRASHES, files.PNG, poison.CRASHES, poison.HANGS, files.PDF] * 3
    expected = [None, "image/png", None, None, "application/pdf"] * 3
    assert await asyncio.gather(*map(libmagic.type_of, kinds)) == expected


async def test_neighbours_do_not_wait_for_a_file_that_hangs(libmagic: Libmagic) -> None:
    first = asyncio.create_task(libmagic.type_of(poison.WAITS))
    rest = [asyncio.create_task(libmagic.type_of(files.PNG)) for _ in range(40)]
    assert await asyncio.gather(*rest) == ["image/png"] * 40
    assert not first.done()


async def test_if_all_children_hang_more_are_started_and_ended_again(
    libmagic: Libmagic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ANSWER_SECONDS", 6.0)
    hanging = [asyncio.create_task(libmagic.type_of(poison.WAITS)) for _ in range(KEPT + 2)]
    while len(children()) < KEPT + 2:
        await asyncio.sleep(0.01)
    assert await libmagic.type_of(files.PNG) == "image/png"
    assert not any(task.done() for task in hanging)
    assert await asyncio.gather(*hanging) == [None] * len(hanging)
    await asyncio.gather(*(libmagic.type_of(files.PNG) for _ in range(MOST)))
    assert len(children()) <= KEPT


async def test_a_child_may_start_for_longer_than_it_may_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.001)
    child = await Child.start(POISONABLE)
    await child.kill()


async def test_one_that_sleeps_is_killed_in_the_end(
    child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.2)
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(NoAnswer):
        await answer_of(child, files.PNG)


async def test_child_killed_from_outside_is_asked_again(libmagic: Libmagic) -> None:
    assert await libmagic.type_of(files.PNG) == "image/png"
    for found in children():
        found.kill()
    assert await libmagic.type_of(files.PNG) == "image/png"


async def test_cancelled_waiter_leaves_a_usable_place(libmagic: Libmagic) -> None:
    for _ in range(KEPT):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await libmagic.type_of(poison.HANGS)
    assert await libmagic.type_of(files.PDF) == "application/pdf"


@pytest.mark.skipif(sys.platform != "linux", reason="system calls are filtered on Linux")
@pytest.mark.parametrize("bytes_", [poison.OPENS, poison.STARTS, poison.CONNECTS])
async def test_a_child_can_neither_open_nor_start_nor_connect(child: Child, bytes_: bytes) -> None:
    assert await answer_of(child, bytes_) == "x-result/-1; errno=1"
    assert await answer_of(child, files.PNG) == "image/png"


@pytest.mark.skipif(sys.platform != "linux", reason="what /proc tells")
async def test_a_child_has_limits_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SECRET_KEY", "a secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    child = await Child.start(COMMAND)
    found = psutil.Process(child.pid)
    assert found.rlimit(psutil.RLIMIT_AS) == (MEMORY, MEMORY)
    for limit in (psutil.RLIMIT_NOFILE, psutil.RLIMIT_FSIZE, psutil.RLIMIT_NPROC):
        assert found.rlimit(limit) == (0, 0)
    assert found.num_fds() == 3
    assert "a secret" not in found.environ().values()
    await child.kill()
    assert not psutil.pid_exists(child.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="children die with their parent on Linux")
def test_no_child_outlives_a_killed_worker() -> None:
    script = (
        "import asyncio, os, signal\n"
        "from workers.libmagic.process import Child\n"
        "async def main():\n"
        f"    child = await Child.start({POISONABLE!r})\n"
        "    print(child.pid, flush=True)\n"
        f"    child.ask([{poison.WAITS!r}])\n"
        "    await anext(child.answers(1))\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pid = next(line for line in worker.stdout if line.strip().isdigit())
        orphan = psutil.Process(int(pid))
        worker.kill()
    orphan.wait(timeout=30)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((sys.executable, "-c", "pass"), "crashes while it is loaded"),
        ((sys.executable, "-c", r"print('\x10MagicError: gone', end='')"), "MagicError: gone"),
    ],
)
async def test_a_libmagic_that_does_not_work_is_no_libmagic(
    command: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        async with Libmagic.open(command):
            pass


async def test_no_verdict_is_given_if_no_child_can_be_started() -> None:
    libmagic = Libmagic(("/no/such/command",))
    for _ in range(KEPT + 1):
        with pytest.raises(SnifferUnavailable):
            await libmagic.type_of(files.PNG)
