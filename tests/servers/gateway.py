"""The gateway and its workers, each in a process of its own, on real servers."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import answers, says
from tests.servers import secrets
from tests.servers.zygote import USUAL, ForkedPart, Kind

_PATIENCE = 60.0


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    url: str
    port: int
    pid: int
    log: Path
    admin_url: str

    async def until_ready(self) -> None:
        """Wait until it is ready: a store that has just started may take long to answer."""
        async with asyncio.timeout(_PATIENCE):
            while not await asyncio.to_thread(
                answers, f"{self.admin_url}/gateway/readyz", below=300
            ):
                await asyncio.sleep(0.1)

    @classmethod
    @contextmanager
    def start(
        cls, environ: Mapping[str, str], directory: Path, kind: Kind = USUAL
    ) -> "Iterator[Gateway]":
        port, admin_port = free_ports(2)
        port = int(environ.get("GATEWAY_PORT", port))  # that of another process, say
        url = f"http://{HOST}:{port}"
        secrets.remember(environ)
        own = {
            "GATEWAY_PORT": str(port),
            "GATEWAY_ADMIN_PORT": str(admin_port),
            "GATEWAY_PUBLIC_URL": url,
        }
        with ForkedPart(
            ["gateway.cli", "serve"],
            {**own, **environ},
            directory / f"gateway-{port}.log",
            # Alive is enough: a test may need a gateway that is not ready.
            lambda: answers(f"{url}/gateway/healthz", below=300),
            kind,
        ) as part:
            try:
                yield cls(url, port, part.pid, part.log, f"http://{HOST}:{admin_port}")
            finally:
                part.hasten()


@contextmanager
def start_worker(
    environ: Mapping[str, str], directory: Path, *arguments: str
) -> Iterator[ForkedPart]:
    """A Celery worker, as a user starts one."""
    log = directory / f"worker-{uuid4()}.log"
    with ForkedPart(
        ["celery.__main__", "-A", "workers", "worker", "--loglevel", "WARNING", *arguments],
        environ,
        log,
        lambda: says(log, 0, "worker.ready"),
    ) as part:
        yield part
