"""ChatKitty's end-user SDK, unmodified, with the gateway as its one host."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.clients.runtime import Runtime
from tests.clients.samples import png
from tests.flows import raw
from tests.servers import metrics
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, Sandbox

pytestmark = pytest.mark.usefixtures("worker")

JANE = "jane@chatkitty.com"


@pytest.fixture(params=["fast", "plain"])
def gateway(request: pytest.FixtureRequest, start_gateway: StartGateway) -> Gateway:
    return start_gateway(engine=request.param, delivery="relay", grants="relay")


@pytest.fixture
async def sdk(node: Path, gateway: Gateway, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with Runtime.open(node, gateway.url, tmp_path / "sdk.log") as opened:
        assert (await opened.call("start", username=JANE))["user"]["name"] == JANE
        yield opened


async def test_one_host_is_enough(
    sdk: Runtime, gateway: Gateway, sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "f.png"
    file.write_bytes(png(600))
    await sdk.call("open", id=CHANNEL)
    await sandbox.forget_requests()
    sent = await sdk.call("upload", path=str(file))
    assert sent["progress"][0] == "started"
    shares = [share for share in sent["progress"] if isinstance(share, int | float)]
    assert shares == sorted(shares)
    assert sent["progress"][-2:] == [1, {"completed": 0}]
    assert (await sdk.event("message"))["message"] == sent["message"]
    assert sent["message"]["user"]["name"] == JANE
    async with (
        aiohttp.ClientSession() as session,
        session.get(sent["message"]["file"]["url"]) as answer,
    ):
        assert await answer.read() == png(600)
    changed = await sdk.call("picture", path=str(file))
    assert changed["user"]["displayPictureUrl"].endswith("/f.png")
    reached = [f"{each['method']} {each['path']}" for each in await sandbox.requests()]
    assert f"POST /runtime/channels/{CHANNEL}/messages" in reached
    audited = await metrics.scrape(gateway.admin_url)
    assert audited.value("uploads_total", outcome="taken") == 2
    assert audited.value("websockets") == 1


async def test_a_grant_that_is_none_of_chatkittys_is_its_to_refuse(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    path = f"/runtime/channels/{CHANNEL}/messages"
    await sandbox.fault("POST", path, status=401, body='{"error":"unauthorized"}')
    body = raw.form(png())
    lines = (raw.FORM_TYPE, "Grant: forged", f"Content-Length: {len(body)}")
    refused = await raw.exchange(gateway.url, raw.head(path, *lines) + body, until=b"}")
    assert refused.status == 401
