"""What passes through, by both engines: the same to the client, and the same to the upstream."""

import asyncio
import json
import os
import re
import signal
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.flows.raw import FORM_TYPE, form, head
from tests.flows.scripted import AUTHORIZATION, USUAL, Came, Pair, Script, open_pair, requests
from tests.hostile.answers import ANSWERS
from tests.hostile.talk import Hangs, Line, Reply
from tests.servers.certificate import self_signed
from tests.servers.databases import Databases
from tests.servers.gateway import Gateway
from tests.servers.metrics import PREFIX, scrape
from tests.servers.sandbox import TOKENS

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LOOK = head("/gateway/healthz", method="GET")
MIB = 1024**2
_VARIES = {"date", "x-request-id", "upload-id", "content-length", "transfer-encoding"}
"""Headers of an answer that differ from one request to the next, or frame it."""

_TIMED = {"ratelimit", "retry-after"}
_SECONDS = re.compile(r"(?<=t=)\d+|^\d+$")
"""What is left of a window."""

_OF_ONE_TIME = {"timestamp", "request_id", "upload_id", "seconds", "module", "pid"}
"""Fields of an event in the log that differ from one time to the next."""

_ENDS = {"request", "request.unreadable"}
"""Events that each request has once."""

_COUNTED = {"requests", "uploads", "problems", "received_bytes"}
"""Metrics that must be the same. What was sent of an answer that was cut, aiohttp does not know."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(
    environ: dict[str, str], module_redis_url: str, servers_dir: Path
) -> AsyncIterator[Pair]:
    # A Redis of their own: a gateway logs it if another one there has different settings.
    own = environ | {"GATEWAY_REDIS_URL": module_redis_url}
    async with open_pair(servers_dir, own) as opened:
        yield opened


async def ask(url: str, request: bytes) -> list[Any]:
    """The answers to the request, and to the next one on its connection."""
    async with Line.open(url) as line:
        await line.send([request])
        told: list[Any] = []
        for bodiless in (request.lstrip().startswith(b"HEAD "), False):
            try:
                reply = await line.reply(bodiless=bodiless)
            except (asyncio.IncompleteReadError, ConnectionError):
                reply = None
            except Hangs:
                return [*told, "hangs"]
            told.append(reply and content(reply))
            if reply is None or reply.closes:
                return told
            await line.send([LOOK])
    return told


def content(reply: Reply) -> tuple[Any, ...]:
    """The part of an answer that does not differ from one time to the next."""
    headers = sorted(
        (name, _SECONDS.sub("seconds", value) if name in _TIMED else value)
        for name, value in reply.headers
        if name not in _VARIES
    )
    body: object = reply.body
    if (reply.header("content-type") or "").startswith("application/problem+json") and reply.body:
        problem = json.loads(reply.body)
        assert problem.pop("request_id") == reply.header("x-request-id")
        assert problem.pop("timestamp")
        body = problem
    return reply.version, reply.status, headers, body, reply.interim


async def compare(pair: Pair, cases: dict[str, bytes]) -> list[str]:
    """The cases that have another result with the other engine."""
    faults = []
    pair.upstream.take()  # what another test has sent
    before = {engine: await counted(gateway) for engine, gateway in pair.gateways.items()}
    for name, request in cases.items():
        told: dict[str, list[Any]] = {}
        came: dict[str, list[Came]] = {}
        logged: dict[str, list[Any]] = {}
        for engine, gateway in pair.gateways.items():
            at = gateway.log.stat().st_size
            told[engine] = await ask(gateway.url, request)
            # aiohttp's client repeats what was sent on a new connection as well.
            came[engine] = list(dict.fromkeys(pair.upstream.take()))
            logged[engine] = await events(gateway, at, 1 + len([x for x in told[engine][1:] if x]))
        for what, seen in (("told", told), ("came", came), ("logged", logged)):
            if seen["fast"] != seen["plain"]:
                faults.append(f"{name}, {what}:\n  {seen['fast']}\n  {seen['plain']}")
    grown = {
        engine: await counted(gateway) - before[engine] for engine, gateway in pair.gateways.items()
    }
    if grown["fast"] != grown["plain"]:
        faults.append(f"counted: {grown['fast'] - grown['plain']} {grown['plain'] - grown['fast']}")
    return faults


async def events(gateway: Gateway, at: int, count: int) -> list[dict[str, Any]]:
    """What was logged since the log had that size, as far as it is the same at any time.

    Waits for `count` requests, since an answer may arrive before it is logged.
    """
    logged: list[dict[str, Any]] = []
    for _ in range(100):
        with gateway.log.open("rb") as log:
            log.seek(at)
            logged = [json.loads(line) for line in log.read().splitlines()]
        if len([each for each in logged if each["event"] in _ENDS]) >= count:
            break
        await asyncio.sleep(0.02)
    return [{key: each[key] for key in each.keys() - _OF_ONE_TIME} for each in logged]


async def counted(gateway: Gateway) -> Counter[str]:
    """Requests, problems and bytes that were counted."""
    found: Counter[str] = Counter()
    for family in (await scrape(gateway.admin_url)).families.values():
        if family.name.removeprefix(PREFIX) in _COUNTED:
            for sample in family.samples:
                found[f"{sample.name}{sample.labels}"] += int(sample.value)
    return found


async def test_both_engines_read_each_request_alike(pair: Pair) -> None:
    cases = {f"{number} {name}": data for number, (name, data) in enumerate(requests())}
    faults = await compare(pair, cases)
    assert not faults, "\n".join(faults)


HALF = b"HTTP/1.1 200 OK\r\nX-Left: over\r\n"
"""A body that begins like an answer: the parser accepts it after an answer to HEAD."""


BROKEN_LATE = {
    *("more-than-its-length", "cut-in-body", "chunk-of-garbage", "chunks-cut"),
    *("cut-after-much", "chunks-cut-after-much", "garbage-after-much"),
}
"""Answers with a sound head: a 502 if the fault is read with it, otherwise cut off after it."""


def answers() -> dict[str, Script]:
    """By their names; the connection is kept but where a script says otherwise."""
    scripts = {case.name: Script(case.data, closes=True, early=case.early) for case in ANSWERS}
    large = b"0123456789abcdef" * (3 * MIB // 16)
    chunks = b"".join(
        b"10000\r\n%b\r\n" % large[at : at + 65536] for at in range(0, len(large), 65536)
    )
    coded = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    scripts |= {
        "kept": Script(USUAL),
        "large": Script(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(large) + large),
        "large in chunks": Script(coded + chunks + b"0\r\n\r\n"),
        "large till the end": Script(b"HTTP/1.1 200 OK\r\n\r\n" + large, closes=True),
        "one chunk": Script(coded + b"2\r\nhi\r\n0\r\n\r\n"),
        "no chunk": Script(coded + b"0\r\n\r\n"),
        "chunks with trailers": Script(coded + b"2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n"),
        "empty": Script(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        "no type": Script(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        "204": Script(b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"),
        "304": Script(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'),
        "206": Script(
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\n"
            b"Content-Length: 2\r\n\r\nab"
        ),
        "early hints": Script(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + USUAL),
        "closing": Script(
            USUAL.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), closes=True
        ),
        "duplicates": Script(USUAL.replace(b"OK\r\n", b"OK\r\nX-b: 1\r\nx-B: 2\r\nX-b: 3\r\n")),
        "cookies": Script(
            USUAL.replace(b"OK\r\n", b"OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n")
        ),
        "own server": Script(USUAL.replace(b"OK\r\n", b"OK\r\nServer: x\r\nDate: then\r\n")),
        "hop by hop": Script(
            USUAL.replace(
                b"OK\r\n", b"OK\r\nConnection: keep-alive, X-b\r\nX-b: 1\r\nKeep-Alive: 1\r\n"
            )
        ),
        "401": Script(USUAL.replace(b"200 OK\r\n", b"401 No\r\nWWW-Authenticate: Bearer\r\n")),
        "half an answer as its body": Script(
            b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n" % len(HALF) + HALF
        ),
        "500": Script(USUAL.replace(b"200 OK", b"500 Oh")),
        "own reason": Script(USUAL.replace(b"OK", b"All is well")),
        "1.0": Script(USUAL.replace(b"HTTP/1.1", b"HTTP/1.0"), closes=True),
        "408": Script(USUAL.replace(b"200 OK", b"408 Slow"), closes=True),
    }
    return scripts


KINDS = {
    "GET": head("{}", AUTHORIZATION, method="GET"),
    "HEAD": head("{}", method="HEAD"),
    "DELETE": head("{}", method="DELETE"),
    "POST": head("{}", "Content-Length: 100000") + b"x" * 100_000,
    "closing": head("{}", "Connection: close", method="GET"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_both_engines_read_each_answer_alike(pair: Pair, kind: str) -> None:
    faults = await compare(pair, dict(scripted(pair, answers(), kind)))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("kind", ["GET", "POST"])
async def test_both_engines_read_each_answer_in_pieces_alike(pair: Pair, kind: str) -> None:
    whole = {name: script for name, script in answers().items() if name not in BROKEN_LATE}
    scripts = {name: in_pieces(script) for name, script in whole.items()}
    faults = await compare(pair, dict(scripted(pair, scripts, kind)))
    assert not faults, "\n".join(faults)


async def test_the_answer_to_head_with_a_form_has_no_body(pair: Pair) -> None:
    """RFC 9110 section 9.3.2: that of the form makes no difference."""
    body = form(b"x")
    length = f"Content-Length: {len(body)}"
    path = "/v1/channels/1/messages"
    request = head(path, AUTHORIZATION, FORM_TYPE, length, method="HEAD") + body
    for gateway in pair.gateways.values():
        told = await ask(gateway.url, request)
        assert [answer and answer[1] for answer in told] == [200, 200]


def in_pieces(script: Script) -> Script:
    """The same bytes, with a moment between head and body, and within each."""
    data = script.data
    end = data.find(b"\r\n\r\n") + 4
    cuts = sorted({cut for cut in (end // 2, end - 1, end, end + 1, len(data) - 1) if cut > 0})
    first, *rest = (data[start:stop] for start, stop in pairwise([0, *cuts, len(data)]))
    return script._replace(data=first, then=tuple((0.003, piece) for piece in rest))


@pytest.mark.slow
async def test_both_engines_read_each_answer_over_tls_alike(
    environ: dict[str, str], own_redis_url: str, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path / "upstream.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    own = environ | {"GATEWAY_REDIS_URL": own_redis_url, "SSL_CERT_FILE": str(certificate)}
    async with open_pair(tmp_path, own, tls=tls) as secured:
        scripts = {name: script for name, script in answers().items() if not script.early}
        for kind in ("GET", "HEAD", "POST"):
            faults = await compare(secured, dict(scripted(secured, scripts, kind)))
            assert not faults, "\n".join(faults)


def scripted(pair: Pair, scripts: Mapping[str, Script], kind: str) -> Iterator[tuple[str, bytes]]:
    """A request of that kind for each script, which the upstream has by its path then."""
    for number, (name, script) in enumerate(scripts.items()):
        target = f"/v1/{kind}/{number}"
        pair.upstream.scripts[target] = script
        yield name, KINDS[kind].replace(b"{}", target.encode())


# --- limits --------------------------------------------------------------------------------------

LIMITED = {
    "GATEWAY_SUBJECT_REQUESTS": "3",
    "GATEWAY_SUBJECT_BYTES": "1000",
    "GATEWAY_SUBJECT_WINDOW": "600",
}
SCOPED = """
[[routes]]
path = "/v1/scoped/**"
scopes = ["chat"]
"""
BOB = f"Authorization: Bearer {TOKENS['bob']}"
PREFLIGHT = ("Origin: https://a", "Access-Control-Request-Method: GET")


def limited_requests() -> Iterator[tuple[str, bytes]]:
    for number in range(5):
        yield f"request {number} of alice", head("/v1/users", AUTHORIZATION, method="GET")
    yield "HEAD of alice", head("/v1/users", AUTHORIZATION, method="HEAD")
    asked = (AUTHORIZATION, "Content-Length: 5", "Expect: 100-continue")
    yield "a body of alice, asked for", head("/v1/users", *asked)
    yield "a body of alice", head("/v1/users", AUTHORIZATION, "Content-Length: 5") + b"hello"
    yield "a stranger", head("/v1/users", "Authorization: Bearer unknown", method="GET")
    yield "nobody", head("/v1/users", method="GET")
    yield "a preflight", head("/v1/users", *PREFLIGHT, method="OPTIONS")
    large = (BOB, "Content-Length: 2000", "Expect: 100-continue")
    yield "more than all that bob may send", head("/v1/x", *large)
    for size in (600, 600, 300):
        yield f"{size} bytes of bob", head("/v1/x", BOB, f"Content-Length: {size}") + b"x" * size
    for method in ("GET", "HEAD", "POST"):
        yield f"{method} without the scope", head("/v1/scoped/x", AUTHORIZATION, method=method)
        yield f"{method} without a token", head("/v1/scoped/x", method=method)
    yield "a preflight where scopes are needed", head("/v1/scoped/x", *PREFLIGHT, method="OPTIONS")


async def test_both_engines_have_the_same_limits(
    environ: dict[str, str], databases: Databases, tmp_path: Path
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(SCOPED)
    with databases.lend() as one, databases.lend() as other:
        common = {**environ, **LIMITED, "GATEWAY_CONFIG": str(config)}
        async with open_pair(tmp_path, common, (one, other)) as limited:
            faults = await compare(limited, dict(limited_requests()))
            assert not faults, "\n".join(faults)
            problems = await counted(limited.gateways["fast"])
            refused = "chatkitty_gateway_problems_total{'problem': 'quota-exceeded'}"
            assert problems[refused] >= 5


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_a_request_is_answered_though_its_gateway_ends(
    environ: dict[str, str], tmp_path: Path, engine: str
) -> None:
    async with open_pair(tmp_path, environ) as ending:
        gateway = ending.gateways[engine]
        ending.upstream.scripts["/v1/slow"] = Script(USUAL, after=1.0)
        async with Line.open(gateway.url) as line:
            await line.send([head("/v1/slow", AUTHORIZATION, method="GET")])
            while not ending.upstream.came:
                await asyncio.sleep(0.01)
            os.kill(gateway.pid, signal.SIGTERM)
            reply = await line.reply()
            assert reply is not None
            assert (reply.status, reply.body, reply.closes) == (200, b"{}", True)
            assert await line.closed()
