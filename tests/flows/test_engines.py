"""Both engines, given the same bytes: the client and the upstream see the same."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.flows.raw import FORM_TYPE, chunked, exchange, form, head
from tests.flows.recorder import ANSWER, CHUNKED_PATH, EARLY_PATH, Recorder, recording
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS

PATH = "/v1/channels/702/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
PATIENCE = 10.0
_OWN = {"date", "x-request-id", "upload-id", "content-length", "transfer-encoding", "connection"}
"""Headers of an answer that differ from one request to the next, or frame it."""


@dataclass(frozen=True)
class Pair:
    """The same gateway twice, with either engine, in front of the same upstream."""

    fast: Gateway
    plain: Gateway
    upstream: Recorder


@pytest.fixture(scope="module")
def pair(environ: dict[str, str], servers_dir: Path) -> Iterator[Pair]:
    with recording() as upstream:
        common = {**environ, "GATEWAY_UPSTREAM_URL": upstream.url, "GATEWAY_DELIVERY": "relay"}
        with (
            Gateway.start({**common, "GATEWAY_ENGINE": "fast"}, servers_dir) as fast,
            Gateway.start({**common, "GATEWAY_ENGINE": "plain"}, servers_dir) as plain,
        ):
            yield Pair(fast, plain, upstream)


def upload(data: bytes, *, path: str = PATH, framing: str = "length", extra: str = "") -> bytes:
    body = form(data)
    headers = [AUTHORIZATION, FORM_TYPE, "X-Client: 1", "Connection: keep-alive"]
    if extra:
        headers.append(extra)
    if framing == "length":
        return head(path, *headers, f"Content-Length: {len(body)}") + body
    return head(path, *headers, "Transfer-Encoding: chunked") + chunked(body, 5000)


def passed(method: str, data: bytes, *, framing: str, extra: str) -> bytes:
    """A request that is no upload."""
    headers = [AUTHORIZATION, extra]
    if framing == "none":
        return head("/v1/users?page=1", *headers, method=method)
    if framing == "length":
        length = f"Content-Length: {len(data)}"
        return head("/v1/users", *headers, length, method=method) + data
    coding = "Transfer-Encoding: chunked"
    return head(CHUNKED_PATH, *headers, coding, method=method) + chunked(data, 5000)


DATA = st.one_of(
    st.binary(max_size=200), st.integers(1, 600_000).map(lambda size: bytes(size)[:-1] + b"\n")
)
REQUESTS = st.one_of(
    st.builds(upload, DATA, framing=st.sampled_from(["length", "length", "chunked"])),
    st.builds(upload, DATA, path=st.just(CHUNKED_PATH)),
    st.builds(
        passed,
        st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]),
        DATA,
        framing=st.sampled_from(["none", "none", "length", "chunked"]),
        extra=st.sampled_from(["X-b: 1\r\nx-B: 2", "Connection: keep-alive", "X: \xe9"]),
    ),
    st.builds(upload, DATA, extra=st.sampled_from(["X-Request-Id: mine", "Grant: g", "X: é"])),
    st.sampled_from(
        [
            head("/v1/users?x=%20y", AUTHORIZATION, method="GET"),
            head("/gateway/healthz", method="GET"),
            head("/gateway/uploads/none", AUTHORIZATION, method="GET"),
            head("/v1/users", AUTHORIZATION, "Content-Length: 2") + b"{}",
            head(PATH, "Authorization: Bearer wrong", FORM_TYPE, "Content-Length: 0"),
        ]
    ),
)
LAST = st.one_of(
    REQUESTS,
    st.just(upload(b"x" * 300_000, path=EARLY_PATH)),
    st.just(upload(b"abc", extra="Connection: close")),
)
"""What may end the connection."""

BROKEN = st.sampled_from(
    [
        head(PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 5, 6"),
        head(PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 5", "Transfer-Encoding: chunked"),
        head(PATH, "X : 1"),
        head("/v1/users", AUTHORIZATION, f"X: {'x' * 9000}", method="GET"),
        b"nonsense\r\n\r\n",
    ]
)
"""Bytes that are not HTTP. They come alone: aiohttp forgets a good request that was read together
with it, which the fast engine answers."""

CUTS = st.lists(st.integers(0, 2_000_000), max_size=4)


@pytest.fixture(scope="module")
def warm(pair: Pair) -> Pair:
    """Both know the token, so that the fast engine serves what it can."""
    for gateway in (pair.fast, pair.plain):
        answer = asyncio.run(exchange(gateway.url, upload(b"x"), until=b"HOSTED"))
        assert answer.status == 200
    pair.upstream.take()
    return pair


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests=st.lists(REQUESTS, max_size=3), last=LAST, cuts=CUTS)
@example(requests=[upload(b"a"), upload(b"b")], last=upload(b"c"), cuts=[])
@example(
    requests=[upload(b"a" * 70_000, framing="chunked"), head("/gateway/healthz", method="GET")],
    last=upload(b"c" * 300_000),
    cuts=[10, 100, 70_500],
)
def test_both_engines_answer_the_same_bytes_alike(
    warm: Pair, requests: list[bytes], last: bytes, cuts: list[int]
) -> None:
    _assert_the_same(warm, _cut(b"".join([*requests, last]), cuts), len(requests) + 1)


@settings(max_examples=15, deadline=None)
@given(broken=BROKEN, cuts=CUTS)
def test_both_engines_refuse_what_is_not_http(warm: Pair, broken: bytes, cuts: list[int]) -> None:
    _assert_the_same(warm, _cut(broken, cuts), 1)


def _assert_the_same(pair: Pair, pieces: list[bytes], count: int) -> None:
    answers, uploads = [], []
    for gateway in (pair.fast, pair.plain):
        answers.append(asyncio.run(_talk(gateway.url, pieces, count)))
        uploads.append(pair.upstream.take())
    assert answers[0] == answers[1]
    assert uploads[0] == uploads[1]
    assert answers[0]


@pytest.mark.parametrize("option", ["content-length", "X-Client, Content-Length"])
def test_no_client_can_remove_the_length_of_a_body(warm: Pair, option: str) -> None:
    """Without it the upstream would read the body as a second request."""
    hidden = head("/v1/users", method="GET")
    request = upload(hidden, extra=f"Connection: {option}")
    for gateway in (warm.fast, warm.plain):
        answer = asyncio.run(exchange(gateway.url, request, until=b"HOSTED"))
        assert answer.status == 200
        assert [seen.body for seen in warm.upstream.take()] == [form(hidden)]


@settings(max_examples=15, deadline=None)
@given(left=st.integers(1, 3_000))
def test_a_request_after_the_rest_of_a_refused_body_is_answered(warm: Pair, left: int) -> None:
    early, after = upload(b"x" * 3_000, path=EARLY_PATH), head("/gateway/healthz", method="GET")
    for gateway in (warm.fast, warm.plain):
        assert asyncio.run(_after_the_answer(gateway.url, early, left, after)) == (429, 200)


async def _after_the_answer(url: str, early: bytes, left: int, after: bytes) -> tuple[int, int]:
    """Send what is left of an upload once it was answered, and another request with it."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    async with asyncio.timeout(PATIENCE):
        writer.write(early[:-left])
        answers = [await _answer(reader)]
        writer.write(early[-left:] + after)
        answers.append(await _answer(reader))
    writer.close()
    first, second = (answer[0] for answer in answers)
    return first, second


@settings(max_examples=15, deadline=None)
@given(at=st.integers(1, 399_000))
def test_no_engine_sends_a_cut_upload_to_the_upstream(warm: Pair, at: int) -> None:
    whole = upload(b"x" * 399_000)
    for gateway in (warm.fast, warm.plain):
        asyncio.run(_abandon(gateway.url, whole[:at]))
        answer = asyncio.run(exchange(gateway.url, upload(b"next"), until=b"HOSTED"))
        assert answer.status == 200
        assert [seen.body for seen in warm.upstream.take()] == [form(b"next")]


def _cut(data: bytes, at: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(cut % len(data) for cut in at)})
    return [data[start:end] for start, end in pairwise(bounds)]


async def _abandon(url: str, data: bytes) -> None:
    address = urlsplit(url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(data)
    await writer.drain()
    writer.transport.abort()


async def _talk(url: str, pieces: list[bytes], count: int) -> list[object]:
    """The answers, each as status, headers and body; fewer if the connection ends before."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.002)

    sending = asyncio.create_task(send())
    answers: list[object] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while len(answers) < count:
                answers.append(await _answer(reader))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        await sending
        writer.close()
    return answers


async def _answer(reader: asyncio.StreamReader) -> tuple[int, list[tuple[str, str]], bytes]:
    opening, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
    fields = dict(headers)
    if "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    else:
        body = b""
        while size := int((await reader.readline()).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    status = int(opening.split()[1])
    # A refusal quotes what had arrived by then, or has the request's id.
    told = body if status < 400 or body == ANSWER else b"a refusal"
    return status, sorted(item for item in headers if item[0] not in _OWN), told
