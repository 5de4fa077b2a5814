"""Hostile framing over raw sockets: in both deliveries, both engines, by both parsers."""

import json
from itertools import groupby

import pytest

from tests.flows.raw import FORM_TYPE, chunked, form, head
from tests.flows.recorder import Seen
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
PLAIN_TYPE = "Content-Type: text/plain"
UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk")
FORGED = (
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X_Forwarded_For",
    "X-Forwarded_Host",
    "X-Real-IP",
    "Forwarded",
    "Upload-Id",
    "Upload_Id",
    "Upload-Complete",
    "Upload-Length",
    "Tus_Resumable",
    "X-Request-Id",
    "X_Request_Id",
    "Content_Length",
    "Content_Type",
    "Content_Encoding",
    "Accept_Encoding",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
)
PROBLEM = "application/problem+json; charset=utf-8"
PIPELINED = 1000
PAUSE = 0.05


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
    assert reply.version == "HTTP/1.1", (case.name, reply)
    assert reply.header("content-type") == PROBLEM, (case.name, reply)
    assert case.data[:20].decode("latin-1") not in json.loads(reply.body)["detail"], case.name
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
async def test_hostile_framing_in_pieces_is_refused_too(row: str, door: Door, watch: Watch) -> None:
    """The head has been read, and the body asked for, when the fault comes."""
    cases = cases_for(row, door)
    replies = await watch.survive_pieces(
        [in_pieces(case.at(path_of(case))) for case in cases], PAUSE
    )
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
    # It is refused while it is still being sent, and its answer may be lost with the connection.
    assert reply is None or (reply.status, reply.closes) == (400, True)
    assert door.upstream.take_at(line.decode().partition(" ")[2]) == []


async def test_pipelined_requests_are_answered_in_order(door: Door, watch: Watch) -> None:
    path = "/v1/channels/6001/messages"
    upload = head(path, AUTHORIZATION, FORM_TYPE, LENGTH) + BODY
    plain = head(path, AUTHORIZATION, PLAIN_TYPE, LENGTH) + BODY
    own = head("/gateway/healthz", method="GET")
    other = head("/gateway/nothing", method="GET")
    several = (own * 9 + other) * (PIPELINED // 10)
    answered: list[int] = []
    async with Line.open(door.url) as line:
        await line.send([several + upload + own + plain + upload])
        for _ in range(PIPELINED + 4):
            reply = await line.reply()
            assert reply is not None, len(answered)
            watch.heard(reply)
            answered.append(reply.status)
    assert answered == [*([*[200] * 9, 404] * (PIPELINED // 10)), *[200] * 4]
    assert len(relayed(door, path)) == (3 if door.relays else 1)


async def test_trailers_are_dropped(door: Door, watch: Watch) -> None:
    paths = ["/v1/channels/6002/messages", "/v1/channels/6102/messages"]
    kinds = [FORM_TYPE, PLAIN_TYPE]
    trailers = b"X-A: b\r\nAuthorization: Bearer x\r\nX-Request-Id: c\r\n"
    replies = await watch.survive_all(
        [with_trailers(path, kind, trailers) for path, kind in zip(paths, kinds, strict=True)]
    )
    assert [reply and reply.status for reply in replies] == [200, 200]
    for path in paths:
        for seen in door.upstream.take_at(path):
            assert not {"x-a", "trailer"} & {name for name, _ in seen.headers}
            assert ("authorization", "Bearer x") not in seen.headers


async def test_trailers_are_no_headers_of_the_next_request(door: Door) -> None:
    """Where a proxy keeps connections, that is another client's."""
    for path, kind in (
        ("/v1/channels/6004/messages", FORM_TYPE),
        ("/v1/channels/6104/messages", PLAIN_TYPE),
    ):
        async with Line.open(door.url) as line:
            for trailers in (f"{AUTHORIZATION}\r\n".encode(), b"X-Request-Id: planted\r\n"):
                await line.send([with_trailers(path, kind, trailers)])
                assert (reply := await line.reply()) is not None
                assert reply.status == 200
                await line.send([head("/gateway/uploads", method="GET")])
                assert (reply := await line.reply()) is not None
                assert reply.status == 401
                assert reply.header("x-request-id") != "planted"


async def test_trailers_cannot_change_the_framing_of_the_body(door: Door, watch: Watch) -> None:
    """The compiled parser refuses them, the other drops them: neither reads by them."""
    path = "/v1/channels/6003/messages"
    requests = [
        with_trailers(path, kind, trailers)
        for kind in (FORM_TYPE, PLAIN_TYPE)
        for trailers in (b"Content-Length: 0\r\n", b"Transfer-Encoding: x\r\n")
    ]
    replies = await watch.survive_all(requests)
    for reply in replies:
        assert reply is not None
        assert (reply.status, reply.closes) in {(200, False), (400, True)}
    assert all(seen.body in {b"", BODY} for seen in relayed(door, path))


async def test_no_end_of_trailers_is_survived(door: Door, watch: Watch) -> None:
    path = "/v1/channels/6004/messages"
    reply = await watch.survives([with_trailers(path, FORM_TYPE, b"X-A: b\r\n" * 100_000)])
    # Their number and their size have limits, and the parser may see the one before the other.
    assert reply is None or (reply.status in {400, 431} and reply.closes)
    door.upstream.take_at(path)


@pytest.mark.parametrize("kind", [FORM_TYPE, PLAIN_TYPE])
async def test_no_request_begins_after_too_many_trailers(
    door: Door, watch: Watch, kind: str
) -> None:
    """The parser in Python refuses 128, says so to the body's reader alone, and reads on."""
    path = "/v1/channels/6005/messages"
    request = with_trailers(path, kind, b"X-A: b\r\n" * 200).removesuffix(b"\r\n")
    [reply] = await watch.survive_pieces([[request, SMUGGLED]], PAUSE)
    assert reply is not None
    assert (reply.status, reply.closes) in {(200, False), (400, True)}
    assert door.upstream.take_at(SMUGGLED_PATH) == []
    door.upstream.take_at(path)


async def test_too_many_trailers_may_follow_an_answer(watch: Watch) -> None:
    request = with_trailers("/gateway/nothing", FORM_TYPE, b"X-A: b\r\n" * 200)
    at = request.index(b"X-A")
    [reply] = await watch.survive_pieces([[request[:at], request[at:]]], 2 * PAUSE)
    assert reply is not None
    assert reply.status == 404


def with_trailers(path: str, kind: str, trailers: bytes) -> bytes:
    start = head(path, AUTHORIZATION, kind, "Transfer-Encoding: chunked")
    return start + chunked(BODY, 100).removesuffix(b"\r\n") + trailers + b"\r\n"


REFUSED = [
    (PATH, ("Authorization: Bearer wrong", LENGTH), 401),
    (PATH, (LENGTH,), 401),
    (PATH, (AUTHORIZATION, "Content-Length: 9000000"), 413),
    ("/gateway/nothing", (AUTHORIZATION, LENGTH), 404),
    ("/gateway/../v1", (AUTHORIZATION, LENGTH), 400),
]


async def test_a_request_refused_by_its_head_gets_no_100_continue(door: Door, watch: Watch) -> None:
    """The next bytes may be the body or another request: so the connection must end."""
    requests = [
        head(path, FORM_TYPE, "Expect: 100-continue", *fields) + SMUGGLED
        for path, fields, _ in REFUSED
    ]
    replies = await watch.survive_all(requests, unfinished=requests)
    for reply, (_, _, status) in zip(replies, REFUSED, strict=True):
        assert reply is not None
        assert (reply.status, reply.interim, reply.closes) == (status, (), True)
    assert door.upstream.take_at(SMUGGLED_PATH) == []


async def test_another_expectation_cannot_be_met(door: Door, watch: Watch) -> None:
    requests = [
        head(PATH, AUTHORIZATION, kind, "Expect: x", LENGTH) + SMUGGLED
        for kind in (FORM_TYPE, PLAIN_TYPE)
    ]
    for reply in await watch.survive_all(requests, unfinished=requests):
        assert reply is not None
        assert (reply.status, reply.interim, reply.closes) == (417, (), True)
    assert door.upstream.take_at(SMUGGLED_PATH) == []


async def test_our_own_resources_answer_whatever_is_expected(watch: Watch) -> None:
    expected = ("Expect: 100-continue", "Expect: x")
    replies = await watch.survive_all(
        [head("/gateway/healthz", each, LENGTH, method="GET") + BODY for each in expected]
    )
    for reply in replies:
        assert reply is not None
        assert (reply.status, reply.interim, reply.closes) == (200, (), True)


async def test_a_body_need_not_wait_to_be_asked_for(door: Door, watch: Watch) -> None:
    path = "/v1/channels/6005/messages"
    replies = await watch.survive_all(
        [
            head(path, AUTHORIZATION, kind, "Expect: 100-continue", LENGTH) + BODY
            for kind in (FORM_TYPE, PLAIN_TYPE)
        ]
    )
    for reply in replies:
        assert reply is not None
        assert (reply.status, reply.interim, reply.closes) == (200, (100,), False)
    assert all("expect" not in dict(seen.headers) for seen in door.upstream.take_at(path))


async def test_an_upgrade_is_not_passed_on_and_its_body_is_a_body(door: Door, watch: Watch) -> None:
    path = "/v1/channels/6006/messages"
    requests = [
        head(path, AUTHORIZATION, kind, LENGTH, *UPGRADE, f"Upgrade: {protocol}") + BODY
        for protocol in ("websocket", "tcp", "h2c", "TLS/1.0")
        for kind in (FORM_TYPE, PLAIN_TYPE)
    ]
    replies = await watch.survive_all(requests)
    assert [reply and reply.status for reply in replies] == [200] * len(requests)
    reached = relayed(door, path)
    assert len(reached) == (len(requests) if door.relays else len(requests) // 2)
    for seen in reached:
        assert not {name for name, _ in seen.headers} & {"upgrade", "connection", "http2-settings"}
        assert seen.body == BODY


async def test_nothing_after_an_upgrade_is_read(door: Door, watch: Watch) -> None:
    path = "/v1/channels/6007"
    upgrades = [
        head(path, AUTHORIZATION, *UPGRADE, f"Upgrade: {protocol}", method="GET")
        for protocol in ("websocket", "tcp")
    ]
    replies = await watch.survive_all([upgrade + SMUGGLED for upgrade in upgrades])
    assert [reply and (reply.status, reply.closes) for reply in replies] == [
        (200, True),
        (200, True),
    ]
    assert len(door.upstream.take_at(path)) == 2
    assert door.upstream.take_at(SMUGGLED_PATH) == []


async def test_nothing_that_a_client_forges_reaches_the_upstream(door: Door, watch: Watch) -> None:
    path = "/v1/channels/6010/messages"
    forged = [f"{name}: evil.test" for name in FORGED]
    requests = [
        head(
            path,
            AUTHORIZATION,
            kind,
            LENGTH,
            *forged,
            "Connection: x-own, accept-encoding",
            "X-Own: a",
        )
        + BODY
        for kind in (FORM_TYPE, PLAIN_TYPE)
    ]
    replies = await watch.survive_all(requests)
    for reply in replies:
        assert reply is not None
        assert reply.status == 200
    for seen in door.upstream.take_at(path):
        headers = dict(seen.headers)
        assert headers["host"] == door.upstream.url.removeprefix("http://")
        assert "x-own" not in headers
        assert "evil.test" not in headers.values()


async def test_no_target_names_another_upstream(door: Door, watch: Watch) -> None:
    targets = ["/evil.test/x", "/@evil.test/x", "/v1/evil.test:80/x", "/v1/x?//evil.test/%2F"]
    refused = ["//evil.test/x", "//evil.test%2Fx", "/v1//evil.test/x", "/v1/%2F%2Fevil.test/x?//y"]
    requests = [
        head(target, AUTHORIZATION, "Host: evil.test", method="GET") for target in targets + refused
    ]
    requests = [request.replace(b"Host: gateway\r\n", b"", 1) for request in requests]
    replies = await watch.survive_all(requests)
    assert [reply and reply.status for reply in replies[len(targets) :]] == [400] * len(refused)
    assert not any(door.upstream.take_at(target) for target in refused)
    for target, reply in zip(targets, replies, strict=False):
        assert reply is not None
        [seen] = door.upstream.take_at(target)
        assert dict(seen.headers)["host"] == door.upstream.url.removeprefix("http://")
        assert (reply.status, seen.target) == (200, target)


async def test_methods_for_proxies_are_not_passed_on(door: Door, watch: Watch) -> None:
    requests = [
        head(target, AUTHORIZATION, method=method) + SMUGGLED
        for method in ("CONNECT", "TRACE")
        for target in ("evil.test:443", PATH)
    ]
    for reply in await watch.survive_all(requests):
        assert reply is not None
        assert (reply.status, reply.closes) == (400, True)
    assert not [seen for seen in door.upstream.take_at(PATH) if seen.method != "POST"]
    assert door.upstream.take_at(SMUGGLED_PATH) == []


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_other_requests_pass_through_with_any_method(version: bytes, door: Door) -> None:
    path = "/v1/channels/6008"
    methods = ["GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND"]
    for method in methods:
        async with Line.open(door.url) as line:
            await line.send([by_version(version, head(path, AUTHORIZATION, method=method))])
            reply = await line.reply(bodiless=method == "HEAD")
            assert reply is not None
            assert reply.status == 200
    assert [(seen.method, seen.body) for seen in door.upstream.take_at(path)] == [
        (method, b"") for method in methods
    ]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_get_may_have_a_body_and_an_upload_must(
    version: bytes, door: Door, watch: Watch
) -> None:
    path = "/v1/channels/6009"
    with_body = head(path, AUTHORIZATION, LENGTH, method="GET") + BODY
    empty = head(path, AUTHORIZATION, FORM_TYPE, "Content-Length: 0")
    without = head(path, AUTHORIZATION, FORM_TYPE)
    replies = await watch.survive_all(
        [by_version(version, each) for each in (with_body, empty, without)]
    )
    assert [reply and reply.status for reply in replies] == [200, 400, 400]
    assert [seen.body for seen in door.upstream.take_at(path)] == [BODY]


def relayed(door: Door, path: str) -> list[Seen]:
    """What reached the upstream as it was sent, and not as the registration of a hosted file."""
    seen = door.upstream.take_at(path)
    return [each for each in seen if ("content-type", "application/json") not in each.headers]


def by_version(version: bytes, request: bytes) -> bytes:
    return request.replace(b"HTTP/1.1", b"HTTP/" + version, 1)
