"""The gateway and its workers, each in a process of its own, on real servers."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import answers, says


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    url: str
    port: int
    pid: int
    log: Path

    @classmethod
    @contextmanager
    def start(cls, environ: Mapping[str, str], directory: Path) -> "Iterator[Gateway]":
        port, admin_port = free_ports(2)
        url = f"http://{HOST}:{port}"
        own = {
            "GATEWAY_PORT": str(port),
            "GATEWAY_ADMIN_PORT": str(admin_port),
            "GATEWAY_PUBLIC_URL": url,
        }
        command = Command(
            f"gateway-{port}",
            [sys.executable, "-m", "gateway.cli", "serve"],
            # Alive is enough: what is tested may be a gateway that is not ready.
            lambda: answers(f"{url}/gateway/healthz", below=300),
            {**own, **environ},
        )
        with Part(command, directory) as part:
            yield cls(url, port, part.pid, part.log)


@contextmanager
def start_worker(environ: Mapping[str, str], directory: Path) -> Iterator[Part]:
    """A Celery worker, as a user starts one."""
    log = directory / "worker.log"
    command = Command(
        "worker",
        [sys.executable, "-m", "celery", "-A", "workers", "worker", "--loglevel", "WARNING"],
        lambda: says(log, 0, "worker.ready"),
        environ,
    )
    with Part(command, directory) as part:
        yield part
