"""Which parts an embedded stack has, and their settings: decided before anything is started."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter

from gateway.stack.part import Command
from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import answers, says
from gateway.stack.seaweedfs import SeaweedFS
from gateway.stack.secrets import StackSecrets
from gateway.stack.valkey import Valkey

CHANNEL = 702
"""The channel that every new sandbox has."""

LOGS = "logs"
"""The directory for the parts' output, below the data directory."""

SUBJECTS = ("alice", "bob")

_DRAIN_GRACE = 4_000.0  # draining parts limit that themselves
_BUCKET = "uploads"
_SWITCH: Final = TypeAdapter(bool)


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts in the order of their start, and what is printed about them.

    `servers` are those that the rest needs, except those that the environment names. `environ` is
    the environment of the gateway and the workers. `tokens` are the pairs of subject and token that
    the gateway accepts; none if only others can issue tokens.
    """

    servers: tuple[Command, ...]
    gateways: tuple[Command, ...]
    workers: tuple[Command, ...]
    environ: Mapping[str, str] = field(repr=False)
    sandbox_url: str | None
    tokens: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def gateway_url(self) -> str:
        """The URL for clients."""
        return self.environ["GATEWAY_PUBLIC_URL"]

    @property
    def admin_url(self) -> str:
        """The URL for operators."""
        return f"http://{HOST}:{self.environ['GATEWAY_ADMIN_PORT']}"

    @property
    def operators_page(self) -> str:
        """The address of the operator's page, with the token that it asks for."""
        return f"{self.admin_url}/#token={quote(self.environ['GATEWAY_ADMIN_TOKEN'])}"

    @property
    def try_url(self) -> str | None:
        """The page to try uploads with, with a token if there is one; None if it is turned off."""
        if not _SWITCH.validate_python(self.environ["GATEWAY_TRY_PAGE"].strip() or "false"):
            return None
        known = {"token": self.tokens[0][1], "channel": CHANNEL} if self.tokens else {}
        return f"{self.gateway_url}/gateway/try" + (f"#{urlencode(known)}" if known else "")

    @property
    def worker_metrics_url(self) -> str | None:
        """The URL of the worker's metrics; None if the environment sets the port to 0."""
        port = self.environ["GATEWAY_WORKER_METRICS_PORT"]
        return f"http://{HOST}:{port}/metrics" if port != "0" else None


def make_plan(data_dir: Path, port: int, processes: int, configured: Mapping[str, str]) -> Plan:
    """The plan for a data directory; every `GATEWAY_*` variable of `configured` wins.

    `port` 0 is any free one. Raises PartError if a part is not installed.
    """
    secrets = StackSecrets.of(data_dir)
    redis_port, s3_port, sandbox_port, admin_port, worker_port, any_port = free_ports(6)
    port = port or any_port
    valkey = Valkey(data_dir / "valkey", redis_port)
    store = SeaweedFS(
        data_dir / "s3", s3_port, secrets.s3_access_key_id, secrets.s3_secret_access_key, _BUCKET
    )
    sandbox_url = f"http://{HOST}:{sandbox_port}"
    defaults = {
        "GATEWAY_HOST": HOST,
        "GATEWAY_DRAIN_DELAY": "0",  # no balancer checks its readiness
        "GATEWAY_ADMIN_PORT": str(admin_port),
        "GATEWAY_ADMIN_TOKEN": secrets.admin_token,
        "GATEWAY_WORKER_METRICS_PORT": str(worker_port),
        "GATEWAY_PUBLIC_URL": f"http://{HOST}:{port}",
        "GATEWAY_SECRET_KEY": secrets.secret_key,
        "GATEWAY_AUTH": "static,upstream",
        "GATEWAY_AUTH_STATIC_TOKENS": ",".join(
            f"{subject}:{token}"
            for subject, token in zip(SUBJECTS, (secrets.token, secrets.other_token), strict=True)
        ),
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_TRY_PAGE": "true",
    }
    servers: list[Command] = []
    if "GATEWAY_REDIS_URL" not in configured:
        servers.append(valkey.command())
        defaults["GATEWAY_REDIS_URL"] = valkey.url
    if "GATEWAY_S3_ENDPOINT_URL" not in configured:
        servers.append(store.command())
        defaults |= store.settings()
    own_sandbox = "GATEWAY_UPSTREAM_URL" not in configured
    if own_sandbox:
        defaults |= _upstream_settings(sandbox_url)
    environ = defaults | {
        name: value for name, value in configured.items() if name.startswith("GATEWAY_")
    }
    environ["GATEWAY_PORT"] = str(port)
    tokens = _pairs(environ.get("GATEWAY_AUTH_STATIC_TOKENS", ""))
    if own_sandbox:
        servers.append(_sandbox(sandbox_url, sandbox_port, data_dir / "sandbox", tokens))
    return Plan(
        servers=tuple(servers),
        gateways=tuple(_gateway(number, environ) for number in range(1, processes + 1)),
        workers=_workers(data_dir, environ),
        environ=environ,
        sandbox_url=sandbox_url if own_sandbox else None,
        tokens=tokens if _are_accepted(environ["GATEWAY_AUTH"], own_sandbox=own_sandbox) else (),
    )


def _are_accepted(verifiers: str, *, own_sandbox: bool) -> bool:
    """Whether a verifier accepts the static tokens, by itself or because the sandbox does."""
    names = {name.strip() for name in verifiers.split(",")}
    return "static" in names or (own_sandbox and "upstream" in names)


def _upstream_settings(sandbox_url: str) -> dict[str, str]:
    return {
        "GATEWAY_UPSTREAM_URL": sandbox_url,
        "GATEWAY_UPSTREAM_TOKEN_URL": f"{sandbox_url}/oauth/token",
        "GATEWAY_UPSTREAM_CLIENT_ID": "gateway",
        "GATEWAY_UPSTREAM_CLIENT_SECRET": "sandbox",
    }


def _pairs(static_tokens: str) -> tuple[tuple[str, str], ...]:
    """The (subject, token) pairs of the setting, in their order."""
    pairs = (pair.strip().rpartition(":") for pair in static_tokens.split(",") if pair.strip())
    return tuple((subject, token) for subject, _, token in pairs)


def _sandbox(url: str, port: int, data_dir: Path, tokens: tuple[tuple[str, str], ...]) -> Command:
    arguments = ["sandbox", "--port", str(port), "--data-dir", str(data_dir)]
    return Command(
        "sandbox",
        [*_OURS, *arguments],
        lambda: answers(f"{url}/sandbox/healthz"),
        {"SANDBOX_TOKENS": ",".join(f"{token}={subject}" for subject, token in tokens)},
    )


def _gateway(number: int, environ: Mapping[str, str]) -> Command:
    # Each process is its own part, so none outlives the launcher, and each is restarted.
    ready = f"http://{environ['GATEWAY_HOST']}:{environ['GATEWAY_PORT']}/gateway/readyz"
    return Command(
        f"gateway-{number}",
        [*_OURS, "serve"],
        lambda: answers(ready, below=300),
        environ,
        grace=_DRAIN_GRACE,
        drains=True,
    )


def _workers(data_dir: Path, environ: Mapping[str, str]) -> tuple[Command, ...]:
    celery = [sys.executable, "-m", "celery", "-A", "workers"]
    log = data_dir / LOGS / "worker.log"
    before = log.stat().st_size if log.exists() else 0
    return (
        Command(
            "worker",
            [*celery, "worker", "--loglevel", "WARNING"],
            lambda: says(log, before, "[queues]"),  # of Celery's banner: no level hides it
            environ,
            grace=_DRAIN_GRACE,
            drains=True,
        ),
        Command(
            "beat",
            [*celery, "beat", "--loglevel", "WARNING", "--schedule", str(data_dir / "beat")],
            lambda: True,
            environ,
        ),
    )


_OURS = (sys.executable, "-m", "gateway.cli")
