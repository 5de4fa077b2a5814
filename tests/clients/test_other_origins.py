"""A page of another origin, in Chromium: it reads answers, sees progress, and resumes by tus."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from gateway.stack.ports import HOST
from tests.clients.browser import Page, browsing, bundle
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("everything")]

UPLOADS: Final = f"/v1/channels/{CHANNEL}/messages"
SIZE: Final = 3_000_000

SCRIPT: Final = """
globalThis.reading = async ({ url, method = 'GET', token, size, headers = {} }) => {
  const known = token ? { Authorization: `Bearer ${token}` } : {};
  const options = { method, headers: { ...known, ...headers } };
  if (size) {
    options.body = new FormData();
    options.body.append('file', new File([new Uint8Array(size)], 'a.bin'));
  }
  try {
    const answer = await fetch(url, options);
    const names = ['Upload-Id', 'X-Request-Id', 'Retry-After'];
    const named = names.filter((name) => answer.headers.has(name));
    return { status: answer.status, named, text: await answer.text() };
  } catch (error) {
    return { error: `${error}` };
  }
};
globalThis.watching = ({ url, token, size }) => new Promise((resolve) => {
  const request = new XMLHttpRequest();
  const told = [];
  request.upload.onprogress = ({ loaded }) => told.push(loaded);
  request.onloadend = () => resolve({ status: request.status, told });
  request.open('POST', url);
  request.setRequestHeader('Authorization', `Bearer ${token}`);
  const form = new FormData();
  form.append('file', new File([new Uint8Array(size)], 'a.bin'));
  request.send(form);
});
"""


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """The origin of a server of nothing but an empty page."""
    directory.mkdir()
    (directory / "index.html").write_text("<!doctype html>")
    server = ThreadingHTTPServer((HOST, 0), partial(Silent, directory=str(directory)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path / "site") as url:
        yield url


@pytest.fixture
async def page(origin: str, tmp_path: Path) -> AsyncIterator[Page]:
    async with browsing(tmp_path / "profile") as page:
        await page.go(f"{origin}/index.html", SCRIPT)
        yield page


async def reads(page: Page, gateway: Gateway, path: str, **options: Any) -> Any:
    return await page.call("reading", url=f"{gateway.url}{path}", **options)


@pytest.mark.parametrize("engine", ["fast", "plain"])
@pytest.mark.parametrize("delivery", ["relay", "external"])
async def test_a_page_reads_what_it_is_answered(
    page: Page, origin: str, start_gateway: StartGateway, engine: str, delivery: str
) -> None:
    alice = TOKENS["alice"]
    gateway = start_gateway(
        cors_origins=origin, engine=engine, delivery=delivery, max_file_size="4MB"
    )
    for _ in range(2):  # the second time, the gateway knows the token
        uploaded = await reads(
            page, gateway, UPLOADS, method="POST", token=alice, size=1000,
            headers={"Idempotency-Key": f'"page-{engine}-{delivery}"', "Prefer": "wait=20"},
        )  # fmt: skip
        assert uploaded.get("status") == 200, uploaded
        assert uploaded["named"] == ["Upload-Id", "X-Request-Id"]
    large = await reads(page, gateway, UPLOADS, method="POST", token=alice, size=5_000_000)
    assert (large.get("status"), "file-too-large" in large.get("text", "")) == (413, True), large
    unknown = await reads(page, gateway, UPLOADS, method="POST", token="wrong", size=9)
    assert (unknown.get("status"), "invalid-token" in unknown["text"]) == (401, True)
    passed = await reads(page, gateway, "/v1/users", token=alice)
    assert passed.get("status") == 200, passed
    watched = await page.call("watching", url=f"{gateway.url}{UPLOADS}", token=alice, size=SIZE)
    assert watched["status"] == 200, watched
    assert watched["told"][-1] > SIZE


async def test_a_page_reads_when_to_come_back(
    page: Page, origin: str, start_gateway: StartGateway
) -> None:
    alice = TOKENS["alice"]
    few = start_gateway(cors_origins=f"https://other.example,{origin}", subject_requests="1")
    await reads(page, few, "/gateway/uploads", token=alice)
    refused = await reads(page, few, "/gateway/uploads", token=alice)
    assert (refused.get("status"), "Retry-After" in refused["named"]) == (429, True), refused
    away = start_gateway(cors_origins="*", upstream_url=f"http://{HOST}:9", auth="static")
    refused = await reads(page, away, UPLOADS, method="POST", token=alice, size=9)
    assert refused.get("status") in (502, 503), refused


async def test_a_page_uploads_by_tus(
    page: Page, origin: str, start_gateway: StartGateway, node: Path, tmp_path: Path
) -> None:
    gateway = start_gateway(cors_origins=origin, delivery="external")
    await page.go(f"{origin}/index.html", await bundle(node, "page.mjs", tmp_path))
    endpoint = f"{gateway.url}/gateway/tus{UPLOADS}"
    ended = await page.call(
        "byTus", endpoint=endpoint, token=TOKENS["alice"], size=SIZE, protocol="tus-v1"
    )
    assert ended.get("error") is None, ended


async def test_without_the_setting_a_page_reads_nothing(
    page: Page, start_gateway: StartGateway
) -> None:
    gateway = start_gateway()
    asked = await reads(page, gateway, "/gateway/uploads", token=TOKENS["alice"])
    assert "Failed to fetch" in asked.get("error", ""), asked
