"""The page to try uploads with, as it is sent; what it does is in test_trial_in_browser.py."""

import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.servers.gateway import Gateway

ROUTE = "/gateway/try/route"
IMPORTS = {"path": "/v1/imports/users"}


@pytest.fixture(scope="module", params=["fast", "plain"])
def gateway(
    request: pytest.FixtureRequest, environ: dict[str, str], servers_dir: Path
) -> Iterator[Gateway]:
    settings = {
        "GATEWAY_ENGINE": request.param,
        "GATEWAY_TRY_PAGE": "true",
        "GATEWAY_DELIVERY": "external",
    }
    with Gateway.start({**environ, **settings}, servers_dir) as gateway:
        yield gateway


@pytest.fixture(params=["relay_gateway", "plain_relay_gateway"])
def other_gateway(request: pytest.FixtureRequest) -> Gateway:
    """A gateway without the page."""
    found: Gateway = request.getfixturevalue(request.param)
    return found


async def test_without_the_setting_there_is_no_page(other_gateway: Gateway) -> None:
    async with aiohttp.ClientSession(other_gateway.url) as session:
        unknown = await session.get("/gateway/nothing")
        for path in ("/gateway/try", ROUTE, "/gateway/try/page.0123456789abcdef.css"):
            answer = await session.get(path, params=IMPORTS)
            assert answer.status == unknown.status == 404
            assert (await answer.json())["type"] == (await unknown.json())["type"]
            assert "X-Gateway-Process" not in answer.headers


async def test_anyone_may_load_it_and_it_allows_nothing_from_elsewhere(gateway: Gateway) -> None:
    async with aiohttp.ClientSession(gateway.url) as session:
        page = await session.get("/gateway/try")
        assert page.status == 200
        assert page.headers["Cache-Control"] == "no-cache"
        assert page.content_type == "text/html"
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self';" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in page.headers
        named = re.findall(r'"(/gateway/try/[^"]+)"', await page.text())
        assert len(named) == 2
        for path in named:
            answer = await session.get(path)
            assert answer.status == 200, path
            assert answer.headers["Cache-Control"].endswith("immutable")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        gone = await session.get("/gateway/try/page.0123456789abcdef.css")
        assert gone.status == 404
        assert (await session.head("/gateway/try")).status == 200
        refused = await session.post("/gateway/try", data=b"x")
        assert refused.status == 405
        assert refused.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("path", "status", "delivery"),
    [
        ("/v1/channels/702/messages", 200, "external"),
        ("/v1/users/1/display-picture", 200, "external"),
        ("/v1/imports/users", 200, "relay"),
        ("/gateway/uploads", 404, None),
        ("/v1/../x", 400, None),
        ("", 400, None),
    ],
)
async def test_it_learns_how_a_path_is_delivered(
    gateway: Gateway, path: str, status: int, delivery: str | None
) -> None:
    async with aiohttp.ClientSession(gateway.url) as session:
        answer = await session.get(ROUTE, params={"path": path})
        assert answer.status == status, await answer.text()
        found = await answer.json()
        assert found.get("delivery") == delivery
        assert ("maxFileSize" in found) is (status == 200)


async def test_a_path_has_to_be_named(gateway: Gateway) -> None:
    async with aiohttp.ClientSession(gateway.url) as session:
        assert (await session.get(ROUTE)).status == 400


async def test_a_client_can_leave_a_process(gateway: Gateway) -> None:
    async with aiohttp.ClientSession(gateway.url) as session:
        name = str(gateway.pid)
        stays = await session.get(ROUTE, params={**IMPORTS, "leave": "1"})
        assert (stays.headers["X-Gateway-Process"], "Connection" in stays.headers) == (name, False)
        leaves = await session.get(ROUTE, params={**IMPORTS, "leave": name})
        assert leaves.headers["Connection"] == "close"
        assert (await session.get("/gateway/uploads")).headers["X-Gateway-Process"] == name
