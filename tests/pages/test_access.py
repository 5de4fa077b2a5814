"""Who gets to the operator's page, and to what is behind it."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Mapping

import pytest

from tests.flows.client import PATIENCE
from tests.pages.ground import ADMIN_TOKEN, Operator
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway

READS = ("status", "rates", "uploads", "matches?action=retry")
ACTIONS = ("actions", "doctor")


@pytest.fixture
def gateway(start_gateway: StartGateway) -> Gateway:
    return start_gateway(admin_token=ADMIN_TOKEN)


@pytest.fixture
async def operator(gateway: Gateway) -> AsyncIterator[Operator]:
    async with Operator.open(gateway.admin_url) as operator:
        yield operator


async def test_without_a_token_nothing_is_shown(operator: Operator) -> None:
    for token, slug in ((None, "unauthorized"), ("another-operators-token", "invalid-token")):
        for path in READS:
            answer = await operator.with_token(token).ask(f"/gateway/admin/{path}")
            assert answer.status == 401
            assert answer.document["type"].endswith(slug)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        for path in ACTIONS:
            answer = await operator.with_token(token).ask(f"/gateway/admin/{path}", "POST", json={})
            assert answer.status == 401


async def test_with_it_every_endpoint_answers_and_nothing_may_be_cached(operator: Operator) -> None:
    for path in READS:
        answer = await operator.ask(f"/gateway/admin/{path}")
        assert answer.status == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers


async def test_the_page_itself_holds_nothing_and_allows_nothing_from_elsewhere(
    operator: Operator,
) -> None:
    page = await operator.with_token(None).ask("/")
    assert page.status == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("gateway.localhost:8081", 200),
        ("10.1.2.3:8081", 200),
        ("[::1]:8081", 200),
        ("attacker.example", 421),
        ("localhost.attacker.example:8081", 421),
        ("127.0.0.1.attacker.example", 421),
    ],
)
async def test_a_foreign_name_for_the_admin_port_is_refused(
    operator: Operator, host: str, status: int
) -> None:
    for path in ("/", "/gateway/admin/status"):
        answer = await operator.ask(path, headers={"Host": host})
        assert answer.status == status, answer.text


async def test_what_machines_read_has_any_name_and_needs_no_token(operator: Operator) -> None:
    for path in ("/metrics", "/gateway/healthz"):
        answer = await operator.with_token(None).ask(path, headers={"Host": "gateway.monitoring"})
        assert answer.status == 200


@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)],
)
async def test_another_site_may_not_ask_for_an_action(
    operator: Operator, site: str, status: int
) -> None:
    order = {"action": "retry", "ids": ["no-id"]}
    answer = await operator.ask(
        "/gateway/admin/actions", "POST", headers={"Sec-Fetch-Site": site}, json=order
    )
    assert answer.status == status, answer.text


@pytest.mark.parametrize(
    "order",
    [
        b"",
        b"[]",
        b'{"action": "erase", "ids": ["a"]}',
        b'{"action": "retry", "ids": []}',
        b'{"action": "retry", "ids": ["a"], "more": 1}',
        json.dumps({"action": "retry", "ids": ["a"] * 51}).encode(),
        b'{"action": "retry", "ids": ["a"], "job": "\\u0000"}',
        b"\xff" * 20,
        b"[" * 100_000,
    ],
)
async def test_an_order_that_cannot_be_read_is_refused(operator: Operator, order: bytes) -> None:
    answer = await operator.ask(
        "/gateway/admin/actions", "POST", headers={"Content-Type": "application/json"}, data=order
    )
    assert answer.status == 400, answer.text
    assert answer.document["type"].endswith("malformed-request")


async def test_an_order_that_is_too_long_or_encoded_is_refused(operator: Operator) -> None:
    order = json.dumps({"action": "retry", "ids": ["a"]}).encode()
    typed = {"Content-Type": "application/json"}
    for coded, body, status in (
        ({}, order + b" " * 2**20, 413),
        ({"Content-Encoding": "gzip"}, gzip.compress(order), 400),
        ({"Content-Encoding": "gzip"}, b"no gzip", 400),
        ({"Content-Encoding": "br"}, order, 400),
    ):
        answer = await operator.ask(
            "/gateway/admin/actions", "POST", headers=typed | coded, data=io.BytesIO(body)
        )
        assert answer.status == status, answer.text


@pytest.mark.parametrize(
    "query",
    [
        {"state": "lost"},
        {"delivery": "pigeon"},
        {"before": "yesterday"},
        {"newer": "-1"},
        {"older": "²"},
        {"page": "2"},
    ],
)
async def test_a_filter_that_cannot_be_read_is_refused(
    operator: Operator, query: Mapping[str, str]
) -> None:
    answer = await operator.ask("/gateway/admin/uploads", params=query)
    assert answer.status == 400, answer.text


async def test_without_the_setting_the_page_is_off_and_says_how_to_turn_it_on(
    relay_gateway: Gateway,
) -> None:
    async with Operator.open(relay_gateway.admin_url) as operator, asyncio.timeout(PATIENCE):
        page = await operator.with_token(None).ask("/")
        assert page.status == 404
        assert "GATEWAY_ADMIN_TOKEN" in page.text
        for path in READS:
            answer = await operator.ask(f"/gateway/admin/{path}")
            assert answer.status == 404
            assert "GATEWAY_ADMIN_TOKEN" in answer.document["detail"]
        for path in ACTIONS:
            answer = await operator.ask(f"/gateway/admin/{path}", "POST", json={})
            assert answer.status == 404


async def test_clients_do_not_reach_the_page(gateway: Gateway) -> None:
    async with Operator.open(gateway.url) as operator, asyncio.timeout(PATIENCE):
        answer = await operator.ask("/gateway/admin/status")
        assert answer.status != 200
        assert answer.document is None or "backlog" not in answer.document


async def test_refusals_are_logged_without_the_token(operator: Operator, gateway: Gateway) -> None:
    await operator.with_token("a-token-that-is-wrong").ask("/gateway/admin/status")
    log = gateway.log.read_text()
    assert '"event":"admin.refused"' in log
    assert "a-token-that-is-wrong" not in log
