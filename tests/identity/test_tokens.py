"""Every kind of token, at both engines: which are accepted, and the answers to the others."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.raw import FORM_TYPE, RawAnswer, exchange, form, head
from tests.flows.recorder import Recorder
from tests.identity.cases import CASES, EC, KEYS, RS512, Case
from tests.servers.gateway import Gateway
from tests.servers.provider import KEY, Provider

PATH = "/v1/channels/702/messages"
CHALLENGE = re.compile(r'Bearer realm="chatkitty-gateway"(?:, error="(\w+)".*)?')
LEAST_SECRET = 12
"""How many characters of a token are in an answer only if it quotes the token."""


@pytest.fixture(scope="module")
def issuing(identity_provider: Provider) -> Provider:
    """The provider with all keys of the cases; two are not published."""

    async def publish() -> None:
        for kid, algorithm in KEYS.items():
            await identity_provider.generate(kid, algorithm)
        await identity_provider.publish(KEY, EC, RS512)

    asyncio.run(publish())
    return identity_provider


@pytest.fixture(scope="module", params=["fast", "plain"])
def gateway(
    request: pytest.FixtureRequest,
    issuing: Provider,
    upstream: Recorder,
    environ: dict[str, str],
    servers_dir: Path,
) -> Iterator[Gateway]:
    own = {
        "upstream_url": upstream.url,
        "delivery": "relay",
        "engine": request.param,
        "auth_scopes": "uploads",
        **issuing.settings,
    }
    changed = {f"GATEWAY_{name.upper()}": value for name, value in own.items()}
    with Gateway.start({**environ, **changed}, servers_dir) as started:
        yield started


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_token_gets_its_answer(
    gateway: Gateway, issuing: Provider, upstream: Recorder, case: Case
) -> None:
    upstream.take()
    headers = await case.headers(issuing)
    if case.status == 200:
        answer = await _sent_whole(gateway, headers)
        assert answer.status == 200, answer.data
        assert len(upstream.take()) == 1
    else:
        _check(case, await _asked_for_nothing(gateway, headers), headers)
        assert upstream.take() == []


async def _sent_whole(gateway: Gateway, headers: list[str]) -> RawAnswer:
    body = form(b"x")
    request = head(PATH, *headers, FORM_TYPE, f"Content-Length: {len(body)}", "Connection: close")
    return await exchange(gateway.url, request + body)


async def _asked_for_nothing(gateway: Gateway, headers: list[str]) -> RawAnswer:
    """The answer to a head with `Expect: 100-continue`; the body is not sent."""
    waits = ("Content-Length: 100000", "Expect: 100-continue")
    return await exchange(gateway.url, head(PATH, *headers, FORM_TYPE, *waits), until=b"}")


def _check(case: Case, answer: RawAnswer, sent: list[str]) -> None:
    fields = _fields(answer)
    told = json.loads(answer.body)
    found = CHALLENGE.fullmatch(fields.get("www-authenticate", ""))
    assert answer.status == case.status, answer.data
    assert found is not None, answer.data
    assert found[1] == case.error
    assert case.says in found[0]
    assert ('scope="uploads"' in found[0]) == (case.status == 403)
    assert fields["content-type"].startswith("application/problem+json")
    assert told["status"] == case.status
    assert case.says in told["detail"]
    assert not _repeated(answer.data, sent), answer.data


def _fields(answer: RawAnswer) -> dict[str, str]:
    lines = answer.data.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def _repeated(data: bytes, sent: list[str]) -> list[str]:
    """Pieces of the sent token that the answer contains."""
    words = [word for line in sent for word in re.split(r"[\s.,]+", line.partition(":")[2])]
    pieces = [word[:LEAST_SECRET] for word in words if len(word) >= LEAST_SECRET]
    return [piece for piece in pieces if piece.encode() in data]
