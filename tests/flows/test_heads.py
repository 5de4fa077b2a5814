"""A head has one limit for all of it, wherever on a connection it is; so have trailers."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.flows.raw import FORM_TYPE, exchange, form, head
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

PATIENCE = 20.0
LIMIT = 32 * 1024
PATH = f"/v1/channels/{CHANNEL}/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
BODY = form(b"behind a large head")
CHUNKED = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
LOOK = head("/gateway/healthz", method="GET")


@pytest.fixture(scope="module", params=["fast", "plain"])
def gateway(
    request: pytest.FixtureRequest, environ: dict[str, str], servers_dir: Path
) -> Iterator[Gateway]:
    with Gateway.start(
        {**environ, "GATEWAY_ENGINE": request.param, "GATEWAY_DELIVERY": "relay"}, servers_dir
    ) as started:
        yield started


def filled(size: int, request: bytes = LOOK) -> bytes:
    """The head, with more headers until it has that size."""
    missing = size - len(request)
    lines: list[bytes] = []
    while missing:
        line = 4000 if missing > 8000 else missing
        lines.append(b"X-%04d: " % len(lines) + b"x" * (line - 10) + b"\r\n")
        missing -= line
    return request[:-2] + b"".join(lines) + b"\r\n"


UPLOAD = head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(BODY)}")
BEFORE = {
    "first": b"",
    "after a request": LOOK,
    "after an upload": UPLOAD + BODY,
    "after chunks": head("/v1/users", "Transfer-Encoding: chunked") + b"2\r\nhi\r\n0\r\n\r\n",
    "after empty lines": b"\r\n" * 9,
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("pieces", ["whole", "in two", "unfinished"])
async def test_a_head_that_is_too_large_is_answered_431(
    gateway: Gateway, before: str, pieces: str
) -> None:
    too_large = filled(LIMIT + 1)
    if pieces == "unfinished":
        too_large = too_large[:-2] + b"X: x\r\n" * 50_000
    data = BEFORE[before] + too_large
    cut = len(BEFORE[before]) + 20_000 if pieces == "in two" else len(data)
    answer = await exchange(
        gateway.url, data[:cut], data[cut:], pause=0.05, until=b"head-too-large"
    )
    *others, last = answer.data.split(b"HTTP/1.")[1:]
    assert last[1:].startswith(b" 431 ")
    assert b"Connection: close" in last
    assert len(others) == (before in {"after a request", "after an upload", "after chunks"})


@pytest.mark.parametrize("cut", [None, 1, 20_000, LIMIT - 1])
async def test_a_head_of_the_largest_size_is_accepted(gateway: Gateway, cut: int | None) -> None:
    for request, body in ((LOOK, b""), (UPLOAD, BODY)):
        data = filled(LIMIT, request)
        first = data[:cut] if cut else data
        rest = data[len(first) :]
        answer = await exchange(gateway.url, first, rest + body, pause=0.05, until=b"\r\n\r\n")
        assert answer.status == 200


async def test_a_hopeless_head_is_answered_at_once(gateway: Gateway) -> None:
    for hopeless in (bytes.fromhex("16030100c8010000c40303"), LOOK[:-2] + b"X Y: z\r\n"):
        assert (await exchange(gateway.url, hopeless)).status == 400
        answer = await exchange(gateway.url, LOOK[:10], LOOK[10:-2] + hopeless, pause=0.05)
        assert answer.status == 400


async def test_trailers_have_the_limit_of_a_head(gateway: Gateway) -> None:
    start = head("/v1/users", AUTHORIZATION, "Transfer-Encoding: chunked") + CHUNKED
    many = b"".join(b"X-%04d: %b\r\n" % (at, b"x" * 7000) for at in range(5))
    refused = await exchange(gateway.url, start + many + b"\r\n", until=b"head-too-large")
    assert refused.status == 431
    taken = await exchange(gateway.url, start + many[:7000] + b"\r\n\r\n", until=b"\r\n\r\n")
    assert 0 < taken.status < 500
    assert taken.status != 431


async def test_pipelined_requests_are_all_answered(gateway: Gateway) -> None:
    lengths = UPLOAD + BODY
    chunks = head(PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked") + CHUNKED + b"\r\n"
    refused = head(PATH, FORM_TYPE, f"Content-Length: {len(BODY)}") + BODY
    kinds = {lengths: b"200", chunks: b"200", LOOK: b"200", refused: b"401"}
    order = [chunks, lengths, refused, LOOK, b"\r\n" + LOOK, chunks, refused, chunks, lengths]
    data = b"".join(order) * 5 + head("/gateway/healthz", "Connection: close", method="GET")
    expected = [kinds[each.removeprefix(b"\r\n")] for each in order] * 5 + [b"200"]
    for size in (len(data), 999):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        answer = await exchange(gateway.url, *pieces)
        statuses = [part[:3] for part in answer.data.split(b"HTTP/1.1 ")[1:]]
        assert statuses == expected


async def test_a_client_that_was_refused_may_finish_what_it_sends(gateway: Gateway) -> None:
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    async with asyncio.timeout(PATIENCE):
        writer.write(filled(LIMIT + 1)[:-2])
        for _ in range(200):
            writer.write(b"X: " + b"x" * 5000 + b"\r\n")
            await writer.drain()
        assert b" 431 " in (await reader.read()).partition(b"\r\n")[0]
    writer.close()


FORM_LENGTH = f"Content-Length: {len(BODY)}"
BROKEN = {
    "two types, as wget2 sends": (
        head(PATH, AUTHORIZATION, FORM_TYPE, "Content-Type: application/x-www-form-urlencoded"),
        "Content-Type was sent twice: send it once",
    ),
    "two types of no upload": (
        head("/v1/users", AUTHORIZATION, "Content-Type: a/b", "Content-Type: a/c"),
        "Content-Type was sent twice: send it once",
    ),
    "two lengths, as Guzzle sends": (
        head(PATH, AUTHORIZATION, FORM_TYPE, FORM_LENGTH, "Transfer-Encoding: chunked"),
        "Content-Length was sent together with Transfer-Encoding: send one of them",
    ),
    "chunks by HTTP/1.0, as drakma sends": (
        head(PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked").replace(b"1.1", b"1.0"),
        "HTTP/1.0 has no Transfer-Encoding: send Content-Length, or use HTTP/1.1",
    ),
    "no chunks": (
        head(PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked") + BODY,
        "the body is not in the chunked coding that its Transfer-Encoding declares",
    ),
}


@pytest.mark.parametrize(("request_", "detail"), BROKEN.values(), ids=BROKEN)
async def test_the_answer_to_a_broken_head_says_what_is_wrong(
    gateway: Gateway, request_: bytes, detail: str
) -> None:
    answer = await exchange(gateway.url, LOOK + UPLOAD + BODY + request_ + BODY)
    assert b"HTTP/1.0 400" not in answer.data
    last = answer.data[answer.data.index(b"HTTP/1.1 400 ") :]
    assert b"\r\nContent-Type: application/problem+json" in last
    assert b"\r\nConnection: close" in last
    told = json.loads(last.partition(b"\r\n\r\n")[2])
    assert (told["type"].rpartition(":")[2], told["detail"]) == ("malformed-request", detail)
    assert answer.closed
