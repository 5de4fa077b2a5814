"""The systemd units: what systemd itself says about them, and whether they agree with the rest."""

import os
import re
import sys
from pathlib import Path

import pytest

from gateway.settings import load
from tests.deploy.names import secret_settings
from tests.deploy.tools import DEPLOY, analysed, checked

SYSTEMD = DEPLOY / "systemd"
UNITS = ("chatkitty-gateway@", "chatkitty-gateway-worker", "chatkitty-gateway-beat")
BIN = "/opt/chatkitty-gateway/bin"
VENV = str(Path(sys.executable).parent)
VALUES = {
    "secret-key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "upstream-client-secret": "secret",
    "redis-url": "redis://127.0.0.1:6379/0",
    "s3-secret-access-key": "secret",
}
SLACK = 15  # seconds to close connections and clients after the last upload


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest) -> str:
    return (SYSTEMD / f"{request.param}.service").read_text()


@pytest.fixture
def installed(request: pytest.FixtureRequest, tmp_path: Path, unit: str) -> str:
    """The unit as a file, with programs that are on this machine; a template as its instance 8."""
    name = request.node.callspec.params["unit"].replace("@", "@8")
    file = tmp_path / f"{name}.service"
    file.write_text(unit.replace(BIN, VENV))
    return str(file)


@analysed
def test_systemd_accepts_the_unit(installed: str) -> None:
    checked(["systemd-analyze", "verify", "--man=no", installed])


@analysed
def test_the_unit_is_hardened(installed: str) -> None:
    # Of 100; systemd calls up to 20 safe. What is left is the network, and the host's own files.
    checked(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager", installed]
    )


def test_secrets_are_credentials(unit: str) -> None:
    with_keys = unit + (SYSTEMD / "s3-keys.conf").read_text()
    credentials = re.findall(r"(?m)^LoadCredential=([^:]+):/etc/chatkitty-gateway/\1$", with_keys)
    files = dict(re.findall(r"(?m)^Environment=(GATEWAY_\w+)_FILE=%d/(\S+)$", with_keys))
    assert sorted(files.values()) == sorted(credentials)
    assert files.keys() <= secret_settings()
    assert not re.search(rf"({'|'.join(secret_settings())})=", with_keys)
    assert not re.search(
        rf"({'|'.join(secret_settings())})", (SYSTEMD / "settings.env").read_text()
    )


def test_a_command_by_hand_has_the_settings_of_the_units() -> None:
    script = (SYSTEMD / "chatkitty-gateway").read_text()
    (files,) = re.findall(r"(?m)^for file in (.*); do$", script)
    units = "".join(file.read_text() for file in SYSTEMD.glob("*.[sc]*"))
    assert set(files.split()) == set(re.findall(r"(?m)^LoadCredential=([^:]+):", units))
    for name in re.findall(r"(?m)^Environment=(GATEWAY_\w+)_FILE=%d/", units):
        assert name.removeprefix("GATEWAY_").lower().replace("_", "-") in files.split()
    assert "EnvironmentFile=$etc/settings.env" in script
    checked(["sh", "-n", str(SYSTEMD / "chatkitty-gateway")])


@pytest.mark.parametrize("with_keys", [False, True])
def test_a_unit_has_only_settings_that_it_accepts(
    unit: str, with_keys: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beat as well, which uses no store, but refuses an access key without its secret."""
    shared = (SYSTEMD / "settings.env").read_text()
    if with_keys:
        unit += (SYSTEMD / "s3-keys.conf").read_text()
        shared = re.sub(r"(?m)^#(GATEWAY_)", r"\1", shared)
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    for name, file in re.findall(r"(?m)^Environment=(GATEWAY_\w+_FILE)=%d/(\S+)$", unit):
        (tmp_path / file).write_text(VALUES[file])
        monkeypatch.setenv(name, str(tmp_path / file))
    for name, value in re.findall(r"(?m)^(GATEWAY_\w+)=(.*)$", shared):
        monkeypatch.setenv(name, value)
    settings = load()
    assert (settings.s3_secret_access_key is not None) is with_keys


def test_a_unit_may_take_as_long_to_stop_as_the_gateway() -> None:
    text = (SYSTEMD / "chatkitty-gateway@.service").read_text()
    delay, drain = re.findall(r"GATEWAY_DRAIN_DELAY=(\d+) GATEWAY_DRAIN_TIMEOUT=(\d+)", text)[0]
    (stop,) = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", text)
    assert int(stop) >= int(delay) + int(drain) + SLACK
    assert "KillMode=mixed" in text


def test_prometheus_scrapes_every_unit_that_has_metrics() -> None:
    text = (DEPLOY / "prometheus" / "prometheus.yaml").read_text()
    scraped = re.findall(r'targets: \["(.*)"\]', text)
    gateway = (SYSTEMD / "chatkitty-gateway@.service").read_text()
    worker = (SYSTEMD / "chatkitty-gateway-worker.service").read_text()
    (admin,) = re.findall(r"GATEWAY_ADMIN_PORT=(\S+)", gateway)
    (metrics,) = re.findall(r"GATEWAY_WORKER_METRICS_PORT=(\d+)", worker)
    gateways = '", "'.join(f"127.0.0.1:{admin.replace('%i', instance)}" for instance in "89")
    assert scraped == [gateways, f"127.0.0.1:{metrics}"]


def test_the_instances_are_those_that_the_fronts_name() -> None:
    text = (SYSTEMD / "chatkitty-gateway@.service").read_text()
    ports = [
        tuple(found.replace("%i", instance) for found in re.findall(r"_PORT=(80%i\d)", text))
        for instance in "89"
    ]
    assert ports == [("8080", "8081"), ("8090", "8091")]
    for front in ("nginx.conf", "haproxy.cfg"):
        served = re.findall(r"(?m)^\s+server .*?127\.0\.0\.1:(\d+)", (DEPLOY / front).read_text())
        assert served == [public for public, _ in ports]


def test_systemd_restarts_a_unit_for_ever(unit: str) -> None:
    assert "Restart=always" in unit
    assert "StartLimitIntervalSec=0" in unit
