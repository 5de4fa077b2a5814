"""The hot path does not grow unseen: what it calls is counted, and compared with a baseline.

A count does not depend on the clock. After a change that makes the path shorter, or one that is
worth what it adds, write the new counts: `UPDATE_BASELINE=1 pytest tests/flows/test_hot_path.py`.
"""

import asyncio
import gc
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest
from aiohttp import web

import gateway
from gateway.server import metrics
from gateway.server.app import create_app
from gateway.server.run import HANDLER, protocols_of
from gateway.settings import load
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import answers
from gateway.telemetry import configure_logs
from tests.flows.raw import FORM_TYPE, form, head
from tests.servers.sandbox import TOKENS

BASELINE = Path(__file__).parents[1] / "data" / "hot_path.json"
TOLERANCES = {
    "calls per upload": 1.03,
    "sends and receives per upload": 1.1,
    "calls per read": 1.03,
    "calls per passed request": 1.03,
    "sends and receives per passed request": 1.1,
}
BY_CHANCE = {
    "Heartbeats.beat",
    "ScriptPipe._look",
    "UpstreamConnection.pause_writing",
    "UpstreamConnection.resume_writing",
    "Watch._look",
    "watch",
}
"""How often a peer is paused, and a timer goes off, says how busy the machine is: not counted."""

PACKAGE = str(Path(gateway.__file__).parent)
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
UPLOADS = 20
REQUESTS = 50
COLLECTED = 100
"""More than what the gateway asks of the store as it starts leaves to the collector."""

LIMITED = {"GATEWAY_SUBJECT_REQUESTS": "1000000", "GATEWAY_AUTH": "static"}
ROUNDS = 4


class Calls:
    """Counts the functions of the gateway that are called, and what its sockets are asked."""

    def __init__(self, port: int) -> None:
        """Distinguish the gateway's sockets from the client's, by the port that it listens on."""
        self.counts: Counter[str] = Counter()
        self._port = port
        self._aside: FrameType | None = None
        self._read: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, called: object) -> None:
        if self._aside is not None:
            if event == "return" and frame is self._aside:
                self._aside = None
        elif event == "return" and frame is self._read:
            self._read = None
        elif event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self._calls(frame)
        elif event == "c_call" and getattr(called, "__name__", "") in {"send", "recv"}:
            asked = getattr(called, "__self__", None)
            if isinstance(asked, socket.socket) and self._is_of_gateway(asked):
                self.counts["socket"] += 1

    def _is_of_gateway(self, asked: socket.socket) -> bool:
        """Whether it is; the sockets with which threads wake the loop have no addresses."""
        return asked.family == socket.AF_INET and asked.getpeername()[1] != self._port

    def _calls(self, frame: FrameType) -> None:
        if frame.f_code.co_qualname in BY_CHANCE:
            self._aside = frame
            return
        self.counts["calls"] += 1
        if frame.f_code.co_name == "client_sends":
            self.counts["reads"] += 1
            self._read = frame
        self.counts["calls in reads"] += self._read is not None

    def __enter__(self) -> Self:
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[str]:
    """An upstream that answers in one piece: of how many an answer comes is not for us to say."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    argv = [sys.executable, "-m", "bench.sink", str(port)]
    with Part(Command("sink", argv, lambda: answers(f"{url}/")), tmp_path):
        yield url


@pytest.fixture
async def port(
    request: pytest.FixtureRequest,
    environ: dict[str, str],
    upstream: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[int]:
    """A gateway in this process, with the test's settings; its calls are counted."""
    # What is asked of Redis by the clock is no part of the path, and more of it on a slow machine.
    monkeypatch.setattr(metrics, "_TICKS_A_LOOK", 1_000_000)
    configure_logs("warning")
    own = {"GATEWAY_UPSTREAM_URL": upstream, "GATEWAY_HASH": "off", **getattr(request, "param", {})}
    settings = load({**environ, **own})
    async with AsyncExitStack() as stack:
        app = create_app(settings)
        runner = web.AppRunner(app, **HANDLER)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocols_of(runner, app, settings), HOST, 0)
        stack.callback(server.close)
        yield server.sockets[0].getsockname()[1]


async def test_an_upload_calls_no_more_than_before(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    await _upload(reader, writer, 1000)  # caches, pools and scripts are filled
    await _upload(reader, writer, 1000)
    small = await _fewest_calls(port, reader, writer, 1000, UPLOADS)
    large = await _fewest_calls(port, reader, writer, 64 * 1024**2, 1)
    passed = await _fewest_calls_of_passed(port, reader, writer)
    writer.close()
    per_read = large["calls in reads"] / large["reads"]
    found = {
        "calls per upload": round(small["calls"] / UPLOADS, 1),
        "sends and receives per upload": round(small["socket"] / UPLOADS, 1),
        "calls per read": round(per_read, 1),
        "calls per passed request": round(passed["calls"] / REQUESTS, 1),
        "sends and receives per passed request": round(passed["socket"] / REQUESTS, 1),
    }
    if os.environ.get("UPDATE_BASELINE"):
        BASELINE.write_text(json.dumps(found, indent=2) + "\n")
    allowed = json.loads(BASELINE.read_text())
    for name, tolerance in TOLERANCES.items():
        assert found[name] <= tolerance * allowed[name], (name, found, allowed)


async def test_a_passed_request_leaves_nothing_to_the_garbage_collector(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    await _ask(reader, writer)  # caches and pools are filled
    of_each = await _left_of_each(lambda: _ask(reader, writer))
    writer.close()
    assert not of_each


@pytest.mark.parametrize("port", [{}, LIMITED], indirect=True, ids=["free", "limited"])
async def test_a_passed_request_creates_no_task(port: int) -> None:
    """Not even with quotas: Redis' answer runs a callback."""
    made = 0

    def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += 1
        return asyncio.Task(work, loop=loop, **options)

    reader, writer = await asyncio.open_connection(HOST, port)
    for _ in range(2):  # caches and pools are filled
        await _ask(reader, writer)
    loop = asyncio.get_running_loop()
    loop.set_task_factory(make)
    try:
        for _ in range(REQUESTS):
            await _ask(reader, writer)
    finally:
        loop.set_task_factory(None)
    writer.close()
    assert made < REQUESTS / 2


async def test_an_upload_leaves_nothing_to_the_garbage_collector(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    await _upload(reader, writer, 1000)  # caches and pools are filled
    of_each = await _left_of_each(lambda: _upload(reader, writer, 1000))
    writer.close()
    assert not of_each, "the collector's work is a part of every upload's price"


async def _left_of_each(request: Callable[[], Awaitable[None]]) -> dict[str, int]:
    """The types of the objects that each request leaves to the collector, in the best of rounds.

    Whatever else the process does by the clock only adds to it.
    """
    rounds = []
    for _ in range(ROUNDS):
        with _only_collected() as found:
            for _ in range(COLLECTED):
                await request()
        rounds.append({kind: number for kind, number in found.items() if number >= COLLECTED})
    return min(rounds, key=len)


@contextmanager
def _only_collected() -> Iterator[Counter[str]]:
    """Count the objects that hold each other in a circle when nothing else does, by their types."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(type(each).__qualname__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def _fewest_calls(
    port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int, uploads: int
) -> Counter[str]:
    """What so many uploads count, of some rounds that with the fewest calls.

    Whatever else the gateway does by the clock only adds to it, and more on a busy machine.
    """
    rounds = []
    for _ in range(ROUNDS):
        with Calls(port) as counted:
            for _ in range(uploads):
                await _upload(reader, writer, size)
        rounds.append(counted.counts)
    return min(rounds, key=lambda counts: counts["calls"] / counts["reads"])


async def _upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    body = form(bytes(size))
    path = "/v1/channels/702/messages"
    writer.write(head(path, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}") + body)
    answer = await reader.readuntil(b'Z"}')
    assert answer.startswith(b"HTTP/1.1 200 ")


async def _fewest_calls_of_passed(
    port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Counter[str]:
    """The same for requests that pass through."""
    rounds = []
    for _ in range(ROUNDS):
        with Calls(port) as counted:
            for _ in range(REQUESTS):
                await _ask(reader, writer)
        rounds.append(counted.counts)
    return min((each for each in rounds if each["calls"] > REQUESTS), key=lambda it: it["calls"])


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(head("/v1/users?page=1", AUTHORIZATION, "Accept: */*", method="GET"))
    answer = await reader.readuntil(b'Z"}')
    assert answer.startswith(b"HTTP/1.1 200 ")
