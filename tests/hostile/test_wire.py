"""Hostile framing over raw sockets: in both deliveries, both engines, by both parsers."""

from itertools import groupby

import pytest

from tests.flows.raw import FORM_TYPE, chunked, form, head
from tests.hostile.doors import WIRES, Door
from tests.hostile.framings import FRAMINGS, SMUGGLED, SMUGGLED_PATH, Framing
from tests.hostile.never import AUTHORIZATION, CANARY, PATH, Watch
from tests.hostile.talk import Line, Reply

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("door", WIRES, ids=str, indirect=True),
]

ROWS = {row: list(cases) for row, cases in groupby(FRAMINGS, lambda case: case.row)}
BODY = form(CANARY)
LENGTH = f"Content-Length: {len(BODY)}"
PIPELINED = 1000
PAUSE = 0.05
_RESET = "passes"


def path_of(case: Framing) -> str:
    return f"/v1/channels/{5000 + FRAMINGS.index(case)}/messages"


def cases_for(row: str, door: Door) -> list[Framing]:
    return [case for case in ROWS[row] if not (case.compiled_only and door.variant.pure_parser)]


def check(case: Framing, reply: Reply | None, door: Door) -> None:
    reached = door.upstream.take_at(path_of(case))
    if case.passes:
        # What is refused while it is still being sent may be lost with its connection.
        assert reply is None or reply.status in {200, 400}, (case.name, reply)
        return
    assert reply is not None, case.name
    assert (case.name, reply.status) == (case.name, 400), reply
    assert reply.closes, (case.name, reply)
    assert reached == [], case.name


@pytest.mark.parametrize("row", ROWS)
async def test_hostile_framing_is_refused_and_hides_nothing(
    row: str, door: Door, watch: Watch
) -> None:
    cases = cases_for(row, door)
    replies = await watch.survive_all([case.at(path_of(case)) for case in cases])
    for case, reply in zip(cases, replies, strict=True):
        check(case, reply, door)
    assert door.upstream.take_at(SMUGGLED_PATH) == []


@pytest.mark.parametrize("row", ROWS)
async def test_hostile_framing_in_pieces_is_refused_as_well(
    row: str, door: Door, watch: Watch
) -> None:
    """The head has been read, and the body asked for, when the fault comes."""
    cases = cases_for(row, door)
    replies = await watch.survive_pieces([in_pieces(case.at(path_of(case))) for case in cases], PAUSE)
    for case, reply in zip(cases, replies, strict=True):
        check(case, reply, door)
    assert door.upstream.take_at(SMUGGLED_PATH) == []


def in_pieces(data: bytes) -> list[bytes]:
    """Cut after the head, and in the midst of the file."""
    start, blank, rest = data.partition(b"\r\n\r\n")
    middle = rest.find(CANARY) + len(CANARY) // 2
    return [piece for piece in (start + blank, rest[:middle], rest[middle:]) if piece]


async def test_a_line_without_end_is_refused_byte_by_byte(door: Door, watch: Watch) -> None:
    line = b"POST " + PATH.encode() + b"?" + b"a" * 9000
    reply = await watch.survives([bytes([byte]) for byte in line])
    assert reply is not None
    assert reply.status == 400
    assert reply.closes


@pytest.mark.parametrize("upload", [True, False])
async def test_pipelined_requests_are_answered_in_order(
    upload: bool, door: Door, watch: Watch
) -> None:
    path = "/v1/channels/6001/messages"
    kind = FORM_TYPE if upload else "Content-Type: text/plain"
    own = head("/gateway/healthz", method="GET")
    other = head("/gateway/nothing", method="GET")
    whole = head(path, AUTHORIZATION, kind, LENGTH) + BODY
    several = (own * 9 + other) * (PIPELINED // 10)
    async with Line.open(door.url) as line:
        await line.send([several + whole + own])
        answered = []
        for _ in range(PIPELINED + 2):
            reply = await line.reply()
            assert reply is not None, len(answered)
            answered.append(reply.status)
    assert answered == [*([*[200] * 9, 404] * (PIPELINED // 10)), 200, 200]
    assert len(door.upstream.take_at(path)) == 1


@pytest.mark.parametrize(
    "trailers",
    [b"Content-Length: 0\r\n", b"Transfer-Encoding: x\r\nAuthorization: Bearer x\r\nX-A: b\r\n"],
)
async def test_trailers_are_dropped(trailers: bytes, door: Door, watch: Watch) -> None:
    path = "/v1/channels/6002/messages"
    for kind in (FORM_TYPE, "Content-Type: text/plain"):
        start = head(path, AUTHORIZATION, kind, "Transfer-Encoding: chunked")
        body = chunked(BODY, 100).removesuffix(b"\r\n") + trailers + b"\r\n"
        reply = await watch.survives([start + body])
        assert reply is not None
        assert reply.status == 200
        [seen] = door.upstream.take_at(path)
        assert not {"x-a", "trailer"} & {name for name, _ in seen.headers}
        assert ("authorization", "Bearer x") not in seen.headers


async def test_no_end_of_trailers_is_survived(door: Door, watch: Watch) -> None:
    path = "/v1/channels/6003/messages"
    start = head(path, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked")
    body = chunked(BODY, 100).removesuffix(b"\r\n") + b"X-A: b\r\n" * 100_000
    reply = await watch.survives([start + body])
    assert reply is None or reply.status == 400
    door.upstream.take_at(path)


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (PATH, ("Authorization: Bearer wrong", LENGTH), 401),
        (PATH, (LENGTH,), 401),
        (PATH, (AUTHORIZATION, "Content-Length: 9000000"), 413),
        ("/gateway/nothing", (AUTHORIZATION, LENGTH), 404),
        ("/gateway/../v1", (AUTHORIZATION, LENGTH), 400),
    ],
)
async def test_what_is_refused_by_its_head_is_not_told_to_go_on(
    path: str, fields: tuple[str, ...], status: int, door: Door, watch: Watch
) -> None:
    """The next bytes may be the body or another request: so the connection must end."""
    start = head(path, FORM_TYPE, "Expect: 100-continue", *fields)
    reply = await watch.survives([start + SMUGGLED])
    assert reply is not None
    assert (reply.status, reply.interim) == (status, ())
    assert reply.closes
    assert door.upstream.take_at(SMUGGLED_PATH) == []


@pytest.mark.parametrize("kind", [FORM_TYPE, "Content-Type: text/plain"])
async def test_another_expectation_cannot_be_met(kind: str, door: Door, watch: Watch) -> None:
    start = head(PATH, AUTHORIZATION, kind, "Expect: x", LENGTH)
    reply = await watch.survives([start + SMUGGLED])
    assert reply is not None
    assert (reply.status, reply.interim, reply.closes) == (417, (), True)
    assert door.upstream.take_at(SMUGGLED_PATH) == []


@pytest.mark.parametrize("kind", [FORM_TYPE, "Content-Type: text/plain"])
async def test_a_body_need_not_wait_to_be_asked_for(kind: str, door: Door, watch: Watch) -> None:
    path = "/v1/channels/6004/messages"
    start = head(path, AUTHORIZATION, kind, "Expect: 100-continue", LENGTH)
    reply = await watch.survives([start + BODY])
    assert reply is not None
    assert (reply.status, reply.interim) == (200, (100,))
    [seen] = door.upstream.take_at(path)
    assert "expect" not in dict(seen.headers)


@pytest.mark.parametrize("kind", [FORM_TYPE, "Content-Type: text/plain"])
@pytest.mark.parametrize("protocol", ["websocket", "tcp", "h2c", "TLS/1.0"])
async def test_an_upgrade_is_not_passed_on_and_its_body_is_a_body(
    protocol: str, kind: str, door: Door, watch: Watch
) -> None:
    path = "/v1/channels/6005/messages"
    fields = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk", f"Upgrade: {protocol}")
    start = head(path, AUTHORIZATION, kind, LENGTH, *fields)
    reply = await watch.survives([start + BODY])
    assert reply is not None
    assert reply.status == 200
    [seen] = door.upstream.take_at(path)
    names = {name for name, _ in seen.headers}
    assert not names & {"upgrade", "connection", "http2-settings"}
    if door.relays or kind != FORM_TYPE:
        assert seen.body == BODY


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
@pytest.mark.parametrize("target", ["evil.test:443", PATH])
async def test_methods_for_proxies_are_not_passed_on(
    method: str, target: str, door: Door, watch: Watch
) -> None:
    reply = await watch.survives([head(target, AUTHORIZATION, method=method)])
    assert reply is not None
    assert reply.status in {400, 405, 501}
    assert not [seen for seen in door.upstream.take_at(target) if seen.method == method]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND"])
async def test_what_is_no_upload_goes_on_by_any_method(
    method: str, version: str, door: Door, watch: Watch
) -> None:
    path = "/v1/channels/6006"
    start = head(path, AUTHORIZATION, method=method).replace(b"HTTP/1.1", b"HTTP/" + version.encode())
    async with Line.open(door.url) as line:
        await line.send([start])
        reply = await line.reply(bodiless=method == "HEAD")
        assert reply is not None
        assert reply.status == 200
    [seen] = door.upstream.take_at(path)
    assert (seen.method, seen.body) == (method, b"")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_get_may_have_a_body_and_an_upload_must(
    version: bytes, door: Door, watch: Watch
) -> None:
    path = "/v1/channels/6007"
    with_body = head(path, AUTHORIZATION, LENGTH, method="GET") + BODY
    empty = head(path, AUTHORIZATION, FORM_TYPE, "Content-Length: 0")
    without = head(path, AUTHORIZATION, FORM_TYPE)
    replies = await watch.survive_all(
        [each.replace(b"HTTP/1.1", b"HTTP/" + version) for each in (with_body, empty, without)]
    )
    assert [reply and reply.status for reply in replies] == [200, 400, 400]
    assert [seen.body for seen in door.upstream.take_at(path)] == [BODY]
