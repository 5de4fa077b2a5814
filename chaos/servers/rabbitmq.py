"""A node of RabbitMQ, with its own ports, home and data."""

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from urllib.request import Request, urlopen
from uuid import uuid4

from chaos.servers.freezing import frozen
from gateway.stack.part import Command
from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import listens

_DEBIANS = "/usr/lib/rabbitmq/bin"
"""The programs on Debian's PATH change to another user, who may not write to a test's directory."""

_START_SECONDS = 120.0
_CONTROL_SECONDS = 120.0
_PLENTY = 0.6
_NOTHING = 0.0000001


@dataclass(frozen=True)
class RabbitMQ:
    """A node, and how it is started and controlled; `url` leads to its first virtual host."""

    directory: Path
    port: int
    dist_port: int
    epmd_port: int
    management_port: int

    @classmethod
    def below(cls, directory: Path) -> "RabbitMQ":
        """A node that writes only below that directory."""
        return cls(directory, *free_ports(4))

    @property
    def url(self) -> str:
        """The URL of the first virtual host."""
        return self.url_of("/")

    def url_of(self, vhost: str) -> str:
        """The URL of a virtual host."""
        path = "%2F" if vhost == "/" else vhost
        return f"amqp://guest:guest@{HOST}:{self.port}/{path}"

    def epmd(self) -> Command:
        """The register of names that a node needs; a node would start one that outlives it."""
        ready = lambda: listens(HOST, self.epmd_port)  # noqa: E731 - as other commands have it
        argv = [_found("epmd"), "-port", str(self.epmd_port), "-address", HOST]
        return Command("epmd", argv, ready, self._environ())

    def command(self) -> Command:
        """The command that starts the node: its process is the node itself instead of a script."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "plugins").write_text("[rabbitmq_management].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {HOST}:{self.port}\n"
            f"management.tcp.ip = {HOST}\n"
            f"management.tcp.port = {self.management_port}\n"
            f"vm_memory_high_watermark.relative = {_PLENTY}\n"
            "disk_free_limit.absolute = 1MB\n"
        )
        return Command(
            "rabbitmq",
            [_found("rabbitmq-server")],
            lambda: listens(HOST, self.port) and listens(HOST, self.management_port),
            {
                **self._environ(),
                # The script becomes the node if it may read this file, which is empty.
                "RABBITMQ_ALLOW_INPUT": "1",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput",
            },
            patience=_START_SECONDS,
            grace=30.0,
        )

    def control(self, *arguments: str) -> str:
        """The output of `rabbitmqctl` with these arguments. Takes some seconds."""
        done = subprocess.run(
            [_found("rabbitmqctl"), "--quiet", *arguments],
            env={**os.environ, **self._environ()},
            capture_output=True,
            text=True,
            timeout=_CONTROL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def put(self, path: str, **settings: str) -> None:
        """Change a setting by the HTTP API, which is much faster than `rabbitmqctl`."""
        self._ask("PUT", path, json.dumps(settings).encode())

    @contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Have a memory alarm meanwhile: the node accepts and answers no message."""
        self.control("set_vm_memory_high_watermark", f"{_NOTHING:.7f}")
        try:
            yield
        finally:
            self.control("set_vm_memory_high_watermark", str(_PLENTY))

    @contextmanager
    def disk_alarm(self) -> Iterator[None]:
        """Have a disk alarm meanwhile."""
        self.control("set_disk_free_limit", "100000GB")
        try:
            yield
        finally:
            self.control("set_disk_free_limit", "1MB")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the node meanwhile: connections stay open, and nothing is answered."""
        with frozen(int((self.directory / "pid").read_text())):
            yield

    @contextmanager
    def lend_vhost(self) -> Iterator[str]:
        """The URL of an empty virtual host, which is deleted at the end with everything in it."""
        name = f"test-{uuid4().hex}"
        self.put(f"vhosts/{name}")
        self.put(f"permissions/{name}/guest", configure=".*", write=".*", read=".*")
        try:
            yield self.url_of(name)
        finally:
            self._ask("DELETE", f"vhosts/{name}")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> None:
        url = f"http://{HOST}:{self.management_port}/api/{path}"
        credentials = b64encode(b"guest:guest").decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        request = Request(url, body, headers, method=method)
        with urlopen(request, timeout=_CONTROL_SECONDS):
            pass  # raises if the answer is a refusal

    def _environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.directory),  # where the cookie is
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
        }


def is_installed() -> bool:
    """Whether all programs that a node needs are installed."""
    return all(which(name, path=_path()) for name in ("rabbitmq-server", "rabbitmqctl", "epmd"))


def _found(name: str) -> str:
    found = which(name, path=_path())
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def _path() -> str:
    return os.pathsep.join([_DEBIANS, os.environ.get("PATH", os.defpath), "/usr/sbin"])
