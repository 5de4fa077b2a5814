"""Any bytes in any header, in both directions, are sent as they were decided on, or refused."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.answer import KEPT_HEADERS
from gateway.choices import Delivery
from gateway.stack.ports import HOST
from gateway.store.s3 import S3Store
from tests.flows.raw import FORM_TYPE, form, head
from tests.hostile.doors import WIRES, Door, Doors, Variant
from tests.hostile.never import AUTHORIZATION, CANARY, TOKEN, Watch
from tests.hostile.talk import Line, Reply
from tests.hostile.upstream import Reading

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "1"))
SEEDS = st.integers(0, 2**32)
RELAYS = tuple(variant for variant in WIRES if variant.delivery is Delivery.RELAY)
"""Each engine by each parser; what is no upload passes through each."""

KINDS = (FORM_TYPE, "Content-Type: text/plain")
BODY = form(CANARY)
LENGTH = f"Content-Length: {len(BODY)}"
CONTROLS = bytes({*range(0x20), 0x7F} - {9})
STRANGE = bytes(byte for byte in range(256) if byte not in range(0x20, 0x7F) and byte != 9)
DECIDING = {
    "Authorization": f"Bearer {TOKEN}",
    "Connection": "keep-alive",
    "Content-Encoding": "identity",
    "Content-Length": f"{len(BODY)}",
    "Expect": "100-continue",
    "Forwarded": "for=192.0.2.1",
    "Grant": "WRITE",
    "Host": "gateway",
    "Idempotency-Key": "a-key",
    "If-Range": '"e"',
    "Prefer": "respond-async",
    "Range": "bytes=0-1",
    "Transfer-Encoding": "chunked",
    "Upgrade": "websocket",
    "X-Forwarded-For": "192.0.2.1",
}
OTHERS = ("Accept", "Cookie", "Referer", "User-Agent", "X-Any", "x_any")
_paths = (f"/v1/channels/{number}/messages" for number in count(2_000_000))
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],  # what is wrong with one of a batch is said of that one
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Field(NamedTuple):
    """A header as it is sent."""

    name: str
    value: bytes

    @property
    def line(self) -> bytes:
        return b"%b: %b\r\n" % (self.name.encode(), self.value)


def spoilt(chance: Random) -> list[tuple[str, Field]]:
    """Each header that decides something, with a byte in it that none may have, by each kind."""
    batch = []
    for kind in KINDS:
        for name, text in (DECIDING | {"Content-Type": kind.partition(": ")[2]}).items():
            value, at = text.encode(), chance.randint(0, len(text))
            byte = bytes([chance.choice(STRANGE)])
            batch.append((kind, Field(name, value[:at] + byte + value[at:])))
    return batch


def unlike(chance: Random, names: Sequence[str], never: bytes) -> list[Field]:
    """Each header with values of any bytes but some."""
    bytes_ = bytes({*range(256)} - set(never))
    return [
        Field(name, bytes(chance.choices(allowed, k=chance.randint(0, 30))))
        for name in names
        for allowed in (bytes_, bytes(set(bytes_) - set(CONTROLS)))
    ]


def request(path: str, kind: str, field: Field) -> bytes:
    """A request that is fine but for one header."""
    fields = [AUTHORIZATION, kind, LENGTH]
    kept = [each for each in fields if each.partition(":")[0] != field.name]
    if field.name == "Transfer-Encoding":
        kept.remove(LENGTH)
    start = head(path, *kept).removesuffix(b"\r\n")
    if field.name == "Host":
        start = start.replace(b"Host: gateway\r\n", b"")
    return start + field.line + b"\r\n" + BODY


@pytest.fixture(params=RELAYS, ids=str, scope="session")
def relay(request: pytest.FixtureRequest, doors: Doors) -> Door:
    return doors.door(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def warm(relay: Door, bucket: S3Store, accepted: set[str]) -> Watch:
    """The fast engine takes the uploads of tokens that it knows."""
    watch = Watch(relay, bucket, accepted)
    await watch.survives([request(next(_paths), FORM_TYPE, Field("X-Any", b""))])
    return watch


@few
@given(seed=SEEDS)
async def test_headers_that_decide_something_must_be_ascii(seed: int, warm: Watch) -> None:
    sent = {next(_paths): each for each in spoilt(Random(seed))}
    requests = [request(path, kind, field) for path, (kind, field) in sent.items()]
    replies = await warm.survive_all(requests, unfinished=requests)
    for (path, (_, field)), reply in zip(sent.items(), replies, strict=True):
        assert reply is not None, field
        assert (reply.status, reply.closes) == (400, True), (field, reply)
        assert warm.door.upstream.take_at(path) == [], field


@few
@given(seed=SEEDS)
async def test_headers_that_decide_nothing_are_passed_on_as_bytes(seed: int, warm: Watch) -> None:
    fields = unlike(Random(seed), OTHERS, b"\r\n")
    sent = {next(_paths): (kind, field) for kind in KINDS for field in fields}
    requests = [request(path, kind, field) for path, (kind, field) in sent.items()]
    replies = await warm.survive_all(requests, unfinished=requests)
    for (path, (_, field)), reply in zip(sent.items(), replies, strict=True):
        assert reply is not None, field
        reached = warm.door.upstream.take_at(path)
        if set(field.value) & set(CONTROLS):
            assert (reply.status, reached) == (400, []), field
            continue
        assert reply.status == 200, (field, reply)
        [seen] = reached
        found = [v for name, v in seen.headers if name == field.name.lower()]
        assert [each.encode("utf-8", "surrogateescape") for each in found] == [
            field.value.strip(b" \t")
        ]


async def test_an_encoding_on_any_line_is_seen(warm: Watch) -> None:
    path = next(_paths)
    gzip = ["Content-Encoding: identity", "Content-Encoding: gzip"]
    several = [gzip, gzip[::-1], ["Content-Encoding: identity, gzip"]]
    fine = [["Content-Encoding: identity"] * 2, ["Content-Encoding: Identity, identity"]]
    expects = ["Expect: 100-continue", "Expect: x"]
    requests = [
        head(path, AUTHORIZATION, FORM_TYPE, LENGTH, *lines) + BODY
        for lines in (*several, *fine, expects, expects[::-1])
    ]
    replies = await warm.survive_all(requests, unfinished=requests)
    statuses = [reply and reply.status for reply in replies]
    assert statuses == [415, 415, 415, 200, 200, 417, 417]
    assert len(warm.door.upstream.take_at(path)) == len(fine)


async def test_no_path_is_a_fault_of_ours(warm: Watch) -> None:
    """The router matches decoded paths; and nothing is below `*`."""
    requests = [
        head(f"{start}%{byte:02X}x", AUTHORIZATION, method="GET")
        for start in ("/v1/", "/gateway/", "/gateway/files/")
        for byte in range(256)
    ]
    await warm.survive_all(requests, unfinished=requests)
    stars = [head("*", method=method) for method in ("OPTIONS", "GET", "HEAD", "DELETE")]
    for reply in await warm.survive_all(stars, unfinished=stars):
        assert reply is not None
        assert (reply.status, reply.closes) == (400, True)


# --- answers --------------------------------------------------------------------------------------


class Saying:
    """An upstream whose answer to each path is given beforehand."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                opening = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
                await reader.readexactly(len(BODY))
                writer.write(self.answers[opening.split(b" ")[1].decode()])
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def saying() -> AsyncIterator[tuple[Saying, str]]:
    upstream = Saying()
    server = await asyncio.start_server(upstream.serve, HOST, 0)
    async with server:
        yield upstream, f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(scope="module")
def said_through(
    saying: tuple[Saying, str],
    hostile_environ: dict[str, str],
    servers_dir: Path,
    upstream: Reading,
    bucket: S3Store,
) -> Iterator[Doors]:
    assert bucket is not None
    environ = {**hostile_environ, "GATEWAY_UPSTREAM_URL": saying[1]}
    with Doors(environ, servers_dir / "said", upstream) as opened:
        yield opened


ANSWERED = (*KEPT_HEADERS, "Server", "Set-Cookie", "ETag", "X-Any", "x_any")


@pytest.mark.parametrize("variant", RELAYS, ids=str)
@few
@given(seed=SEEDS)
async def test_an_answer_has_the_bytes_that_arrived(
    seed: int, variant: Variant, saying: tuple[Saying, str], said_through: Doors
) -> None:
    # It is waited for in a thread: the upstream is served by this loop.
    door = await asyncio.to_thread(said_through.door, variant)
    await _answered(door, saying[0], FORM_TYPE, Field("X-Any", b""))  # now it knows the token
    fields = unlike(Random(seed), ANSWERED, b"\r\n\0")
    for kind in KINDS:
        replies = await asyncio.gather(*(_answered(door, saying[0], kind, each) for each in fields))
        for field, reply in zip(fields, replies, strict=True):
            assert reply is not None, field
            assert (reply.status, reply.body) == (200, b"{}"), (field, reply)
            found = [v for name, v in reply.headers if name == field.name.lower()]
            assert found == [field.value.strip(b" \t").decode("latin-1").strip()], (field, reply)


async def _answered(door: Door, upstream: Saying, kind: str, field: Field) -> Reply | None:
    path = next(_paths)
    typed = b"" if field.name == "Content-Type" else b"Content-Type: text/plain\r\n"
    upstream.answers[path] = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + typed + field.line + b"\r\n{}"
    )
    async with Line.open(door.url) as line:
        await line.send([head(path, AUTHORIZATION, kind, LENGTH) + BODY])
        return await line.reply()
