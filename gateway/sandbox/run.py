"""The sandbox as a server."""

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.sandbox.app import LOGGED_REQUESTS, Sandbox, create_app
from gateway.sandbox.faults import Faults
from gateway.sandbox.runtime import Runtime
from gateway.sandbox.state import State
from gateway.sandbox.tokens import Accounts, Tokens


def serve(
    host: str,
    port: int,
    data_dir: Path,
    accounts: Accounts,
    *,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; `port` 0 is any free one, and `ready` receives the URL."""
    data_dir.mkdir(parents=True, exist_ok=True)
    state = State(data_dir)
    tokens, log = Tokens(state, accounts), deque[dict[str, Any]](maxlen=LOGGED_REQUESTS)
    sandbox = Sandbox(state, tokens, Faults(), Runtime(state), log)
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
