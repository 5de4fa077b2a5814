"""What passes through, by both engines: the same to the client, and the same to the upstream."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.flows.raw import head
from tests.flows.scripted import AUTHORIZATION, USUAL, Came, Script, Scripted, requests
from tests.hostile.answers import ANSWERS
from tests.hostile.talk import Hangs, Line, Reply
from tests.servers.gateway import Gateway
from tests.servers.metrics import PREFIX, scrape

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOK = head("/gateway/healthz", method="GET")
MIB = 1024**2
_VARIES = {"date", "x-request-id", "upload-id", "content-length", "transfer-encoding"}
"""Headers of an answer that differ from one request to the next, or frame it."""

_OF_ONE_TIME = {"timestamp", "request_id", "upload_id", "seconds", "module", "pid"}
"""Fields of an event in the log that differ from one time to the next."""

_ENDS = {"request", "request.unreadable"}
"""Events of which each request has one."""

_COUNTED = {"requests", "uploads", "problems", "received_bytes"}
"""Metrics that must be the same. What was sent of an answer that was cut, aiohttp does not know."""


@dataclass(frozen=True)
class Pair:
    """The same gateway twice, with either engine, before the same upstream."""

    gateways: dict[str, Gateway]
    upstream: Scripted


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(environ: dict[str, str], servers_dir: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(Scripted.open())
        common = {
            **environ,
            "GATEWAY_UPSTREAM_URL": upstream.url,
            "GATEWAY_UPSTREAM_TIMEOUT": "2",
            "GATEWAY_DELIVERY": "relay",
            "GATEWAY_AUTH": "static",
        }
        gateways = {}
        for engine in ("fast", "plain"):
            started = Gateway.start({**common, "GATEWAY_ENGINE": engine}, servers_dir)
            gateways[engine] = await asyncio.to_thread(started.__enter__)
            stack.callback(started.__exit__, None, None, None)
        yield Pair(gateways, upstream)


async def ask(url: str, request: bytes) -> list[Any]:
    """What the client is told of the request, and of the next one on its connection."""
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
    """As much of an answer as does not differ from one time to the next."""
    headers = sorted(each for each in reply.headers if each[0] not in _VARIES)
    body: object = reply.body
    if (reply.header("content-type") or "").startswith("application/problem+json") and reply.body:
        problem = json.loads(reply.body)
        assert problem.pop("request_id") == reply.header("x-request-id")
        assert problem.pop("timestamp")
        body = problem
    return reply.version, reply.status, headers, body, reply.interim


async def compare(pair: Pair, cases: dict[str, bytes]) -> list[str]:
    """What of the cases comes to something else by the other engine."""
    faults = []
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


async def test_each_request_comes_to_the_same(pair: Pair) -> None:
    cases = {f"{number} {name}": data for number, (name, data) in enumerate(requests())}
    faults = await compare(pair, cases)
    assert not faults, "\n".join(faults)


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
async def test_each_answer_comes_to_the_same(pair: Pair, kind: str) -> None:
    scripts = answers()
    cases = {}
    for number, (name, script) in enumerate(scripts.items()):
        target = f"/v1/{kind}/{number}"
        pair.upstream.scripts[target] = script
        cases[name] = KINDS[kind].replace(b"{}", target.encode())
    faults = await compare(pair, cases)
    assert not faults, "\n".join(faults)
