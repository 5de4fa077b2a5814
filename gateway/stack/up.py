"""The whole gateway on one machine: every part is a real server, and none is installed by hand."""

import asyncio
import json
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from gateway.metrics.directory import metrics_directory
from gateway.stack.part import PartError
from gateway.stack.plan import CHANNEL, LOGS, Plan, make_plan
from gateway.stack.sample import upload_samples
from gateway.stack.supervisor import Supervisor
from gateway.terminal import Console

_LOOK_SECONDS = 0.2
_PARTS = ("gateway", "worker", "beat", "redis", "s3", "sandbox")


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of `chatkitty-gateway up`; `port` 0 is any free one."""

    port: int
    data_dir: Path
    processes: int
    sample: bool
    restart: bool
    as_json: bool


def up(options: UpOptions) -> int:
    """Start everything, report that, supervise it until SIGTERM or SIGINT, and stop everything.

    The gateways and the worker drain; a second signal hastens that.

    Returns the exit status: 0 after a signal, 1 if a part did not start, or died and may not be
    restarted.
    """
    stopped = threading.Event()
    console = Console(as_json=options.as_json)
    supervisor = Supervisor(options.data_dir / LOGS, console, restart=options.restart)

    def stop(*_: object) -> None:
        if stopped.is_set():
            supervisor.hasten()
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with metrics_directory(os.environ) as environ:
        try:
            plan = make_plan(options.data_dir, options.port, options.processes, environ)
            _start(supervisor, plan)
            _announce(options, plan, supervisor)
            while not stopped.wait(_LOOK_SECONDS):
                supervisor.look_after()
        except PartError as error:
            console.status("")
            console.err(f"error: {error}")
            return 1
        finally:
            supervisor.stop()
    return 0


def _start(supervisor: Supervisor, plan: Plan) -> None:
    supervisor.start(plan.servers)
    supervisor.start([*plan.workers, *plan.gateways])


def _announce(options: UpOptions, plan: Plan, supervisor: Supervisor) -> None:
    if options.as_json:
        print(json.dumps(_description(plan, supervisor)), flush=True)
        return
    if plan.try_url is not None:
        print(f"try it in a browser: {plan.try_url}", flush=True)
    print(f"READY {plan.gateway_url}", flush=True)
    print(f"operator's page: {plan.operators_page}", flush=True)
    if plan.sandbox_url is not None:
        print(f"make ChatKitty fail: {plan.sandbox_url}/sandbox", flush=True)
    if options.sample and not plan.tokens:
        print("no sample upload: GATEWAY_AUTH accepts none of the tokens that `up` knows")
    elif options.sample:
        asyncio.run(upload_samples(plan.gateway_url, plan.tokens[0][1], CHANNEL))


def _description(plan: Plan, supervisor: Supervisor) -> dict[str, object]:
    environ = plan.environ
    tokens = [*plan.tokens, ("", ""), ("", "")]
    return {
        "gateway": plan.gateway_url,
        "try_url": plan.try_url,
        "admin": plan.admin_url,
        "admin_token": environ["GATEWAY_ADMIN_TOKEN"],
        "worker_metrics": plan.worker_metrics_url,
        "sandbox": plan.sandbox_url,
        "token": tokens[0][1],
        "subject": tokens[0][0],
        "other_token": tokens[1][1],
        "channel": CHANNEL,
        "redis": environ["GATEWAY_REDIS_URL"],
        "s3": {
            "endpoint": environ["GATEWAY_S3_ENDPOINT_URL"],
            "bucket": environ.get("GATEWAY_S3_BUCKET", "uploads"),
            "access_key_id": environ.get("GATEWAY_S3_ACCESS_KEY_ID"),
            "secret_access_key": environ.get("GATEWAY_S3_SECRET_ACCESS_KEY"),
        },
        "pids": {name: supervisor.pids(name) for name in _PARTS},
    }
