"""Hostile answers of an upstream: in both engines, by both parsers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.choices import Delivery, Engine
from gateway.stack.ports import HOST
from gateway.store.s3 import S3Store
from tests.flows.raw import FORM_TYPE, form, head
from tests.hostile.answers import ANSWERS, COMPILED_ONLY, FORGED, HIDDEN, Answer
from tests.hostile.doors import Door, Doors, Variant
from tests.hostile.never import AUTHORIZATION, CANARY, Watch
from tests.hostile.talk import WORKED_ON, Hangs, Line, Reply
from tests.hostile.upstream import Reading

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = form(CANARY * 10_000)
LENGTH = f"Content-Length: {len(BODY)}"
KINDS = {FORM_TYPE: 7000, "Content-Type: text/plain": 8000}
BAD_GATEWAY = 502
USUAL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
UNREAD = 10
"""How often an upload may meet a connection that is being closed."""

WAYS = (
    Variant(Delivery.RELAY, Engine.FAST),
    Variant(Delivery.RELAY, Engine.PLAIN),
    Variant(Delivery.RELAY, Engine.PLAIN, pure_parser=True, optimised=True),
)


class Hostile:
    """An upstream that answers each path as the catalogue says, and any other as usual."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._closed = asyncio.Condition()
        self._answering = 0
        self.answers = {path_of(case, kind): case for case in ANSWERS for kind in KINDS}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        opening, *fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        path = opening.split(b" ")[1].decode()
        self.requests.append(path)
        case = self.answers.get(path)
        if case is None or not case.early:
            await reader.readexactly(_length(fields))
        if case is None:
            writer.write(USUAL)
            return True
        await self._be_hostile(case, writer)
        return False

    async def _be_hostile(self, case: Answer, writer: asyncio.StreamWriter) -> None:
        self._answering += 1
        try:
            writer.write(case.data)
            await writer.drain()
            if case.resets:
                await asyncio.sleep(0.1)  # so that the answer is read before the reset
                writer.transport.abort()
            writer.close()
            await writer.wait_closed()
        finally:
            self._answering -= 1
            async with self._closed:
                self._closed.notify_all()

    async def wait_closed(self) -> None:
        """Return when no connection is open on which a hostile answer was given."""
        async with self._closed:
            await self._closed.wait_for(lambda: not self._answering)


def _length(fields: list[bytes]) -> int:
    for field in fields:
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def path_of(case: Answer, kind: str) -> str:
    return f"/v1/channels/{KINDS[kind] + ANSWERS.index(case)}/messages"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hostile() -> AsyncIterator[tuple[Hostile, str]]:
    upstream = Hostile()
    server = await asyncio.start_server(upstream.serve, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield upstream, f"http://{HOST}:{port}"


@pytest.fixture(scope="module")
def ways(
    hostile: tuple[Hostile, str],
    hostile_environ: dict[str, str],
    servers_dir: Path,
    upstream: Reading,
    bucket: S3Store,
) -> Iterator[Doors]:
    assert bucket is not None
    environ = {
        **hostile_environ,
        "GATEWAY_UPSTREAM_TIMEOUT": "5",
        "GATEWAY_UPSTREAM_URL": hostile[1],
    }
    with Doors(environ, servers_dir / "ways", upstream) as opened:
        yield opened


@pytest_asyncio.fixture(params=WAYS, ids=str, loop_scope="session")
async def door(request: pytest.FixtureRequest, ways: Doors) -> Door:
    # It is waited for in a thread: the upstream is served by this loop.
    return await asyncio.to_thread(ways.door, request.param)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_is_passed_on_or_a_502_and_never_more(
    kind: str, door: Door, watch: Watch, hostile: tuple[Hostile, str]
) -> None:
    requests = hostile[0].requests
    requests.clear()
    cases = [
        case for case in ANSWERS if not (case.name in COMPILED_ONLY and door.variant.pure_parser)
    ]
    logged = door.log.stat().st_size
    heard = await asyncio.gather(*(hear(case, kind, door, watch, requests) for case in cases))
    faults = [fault for fault in heard if fault]
    assert not faults, "\n".join(faults)
    assert sorted(requests) == sorted(path_of(case, kind) for case in cases)
    await hostile[0].wait_closed()
    await see_closed(door)
    await watch.survives([head("/v1/channels/7999", AUTHORIZATION, method="GET")])
    with door.log.open("rb") as log:
        log.seek(logged)
        assert b"Traceback" not in log.read()


async def see_closed(door: Door) -> None:
    """Return when the gateway knows which of its connections the upstream has closed.

    An upload sent on one that is just being closed is a 502: it may have been taken.
    """
    for _ in range(2):
        async with Line.open(door.url) as line:
            await line.send([head("/gateway/healthz", method="GET")])
            assert await line.reply() is not None


async def hear(
    case: Answer, kind: str, door: Door, watch: Watch, requests: list[str]
) -> str | None:
    """What is wrong with what the client is told.

    An upload that comes on a connection which the upstream is just closing is not read, and is a
    502. It had no answer at all, so it is sent again.
    """
    fault: str | None = "not read"
    for _ in range(UNREAD):
        fault = await hear_once(case, kind, door, watch)
        if path_of(case, kind) in requests:
            break
    return fault


async def hear_once(case: Answer, kind: str, door: Door, watch: Watch) -> str | None:
    async with Line.open(door.url) as line:
        await line.send([head(path_of(case, kind), AUTHORIZATION, kind, LENGTH) + BODY])
        try:
            reply = await line.reply(WORKED_ON)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None if case.status == BAD_GATEWAY else f"{case.name}: cut"
        except Hangs:
            return f"{case.name}: hangs"
    if reply is None:
        return f"{case.name}: no answer"
    watch.heard(reply)
    return f"{case.name}: {reply}" if is_wrong(case, reply) else None


def is_wrong(case: Answer, reply: Reply) -> bool:
    values = "".join(value for _, value in reply.headers)
    return (
        reply.status != case.status
        or reply.interim != ()
        or (case.body is not None and reply.body != case.body)
        or HIDDEN in reply.body
        or not reply.header("x-request-id")
        or bool(set(values) & set("\r\n\0"))
        or FORGED in values
        or (reply.status in {204, 304} and "content-length" in dict(reply.headers))
        or bool({name for name, _ in reply.headers} & {"set-cookie", "upgrade"})
    )
