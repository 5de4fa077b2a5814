"""The sandbox as a server."""

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import web

from gateway.sandbox.app import LOGGED_REQUESTS, Sandbox, create_app
from gateway.sandbox.faults import Faults
from gateway.sandbox.state import State
from gateway.sandbox.tokens import Tokens


def serve(
    host: str,
    port: int,
    data_dir: Path,
    *,
    tokens: Mapping[str, str],
    clients: Mapping[str, str],
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; `port` 0 is any free one, which `ready` is told with the URL.

    `tokens` maps bearer tokens that are always valid to their subjects, `clients` ids to secrets.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    state = State(data_dir)
    sandbox = Sandbox(
        state, Tokens(state, tokens, clients), Faults(), deque(maxlen=LOGGED_REQUESTS)
    )
    try:
        asyncio.run(_serve(host, port, sandbox, ready))
    finally:
        state.close()


async def _serve(host: str, port: int, sandbox: Sandbox, ready: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(create_app(sandbox), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        ready(f"http://{host}:{runner.addresses[0][1]}")
        await stopped.wait()
    finally:
        await runner.cleanup()
