"""ChatKitty is down for a while: what do waiting clients receive, and what follows?

Prints the requests per second that ChatKitty gets once it is back: they should come at the workers'
pace, instead of all at once.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import answers
from gateway.stack.sample import sample_png

CHANNEL_PATH = "/v1/channels/702/messages"
WAIT = 5
ENDS = {"registered", "rejected", "failed"}


def main() -> None:
    """Arguments: the seconds of the outage, and the number of uploads during it."""
    seconds, uploads = [int(text) for text in [*sys.argv[1:], "180", "600"][:2]]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        port = free_port()
        sandbox = _sandbox(directory, port)
        part = Part(sandbox, directory).wait_ready()
        described = _up(stack, directory, f"http://{HOST}:{port}")
        part.stop()
        asyncio.run(_measure(described, sandbox, directory, seconds, uploads))


def _sandbox(directory: Path, port: int) -> Command:
    argv = [sys.executable, "-m", "gateway.cli", "sandbox", "--port", str(port)]
    url = f"http://{HOST}:{port}/sandbox/healthz"
    return Command(
        "sandbox", [*argv, "--data-dir", str(directory / "sandbox")], lambda: answers(url)
    )


def _up(stack: ExitStack, directory: Path, upstream: str) -> dict[str, Any]:
    """The stack, with a ChatKitty that is started and stopped elsewhere."""
    environ = {
        "GATEWAY_UPSTREAM_URL": upstream,
        "GATEWAY_UPSTREAM_TOKEN_URL": f"{upstream}/oauth/token",
        "GATEWAY_UPSTREAM_CLIENT_ID": "gateway",
        "GATEWAY_UPSTREAM_CLIENT_SECRET": "secret",
        "GATEWAY_DELIVERY": "external",
    }
    argv = [sys.executable, "-m", "gateway.cli", "up", "--json", "--port", "0"]
    process = stack.enter_context(
        subprocess.Popen(
            [*argv, "--data-dir", str(directory / "up")],
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    )
    stack.callback(process.terminate)
    assert process.stdout is not None
    described: dict[str, Any] = json.loads(process.stdout.readline())
    return described


async def _measure(
    described: dict[str, Any], sandbox: Command, directory: Path, seconds: int, uploads: int
) -> None:
    headers = {"Authorization": f"Bearer {described['token']}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        described["gateway"], headers=headers, connector=connector
    ) as session:
        clients = []
        for number in range(uploads):
            clients.append(asyncio.create_task(_upload(session, number)))
            await asyncio.sleep(seconds / uploads)
        answered = await asyncio.gather(*clients)
        print(f"{uploads} uploads in {seconds} s without ChatKitty, each waiting {WAIT} s:")
        print(f"  answers {dict(Counter(status for status, _, _ in answered))}")
        print(f"  the slowest after {max(took for _, _, took in answered):.1f} s")
        with Part(sandbox, directory):
            url = sandbox.argv[sandbox.argv.index("--port") + 1]
            watch = asyncio.create_task(_watch(f"http://{HOST}:{url}"))
            ends = await _ends(session, [upload_id for _, upload_id, _ in answered])
            watch.cancel()
        print(f"  after its return {dict(Counter(ends))}")


async def _upload(session: aiohttp.ClientSession, number: int) -> tuple[int, str, float]:
    form = aiohttp.FormData()
    form.add_field("file", sample_png(), filename=f"{number}.png", content_type="image/png")
    started = time.monotonic()
    async with session.post(CHANNEL_PATH, data=form, headers={"Prefer": f"wait={WAIT}"}) as answer:
        return answer.status, answer.headers["Upload-Id"], time.monotonic() - started


async def _ends(session: aiohttp.ClientSession, upload_ids: list[str]) -> list[str]:
    """The state of each upload, once all have ended; prints how long that took."""
    started = time.monotonic()
    waiting, ends = list(upload_ids), []
    while waiting:
        still = []
        for upload_id in waiting:
            async with session.get(f"/gateway/uploads/{upload_id}") as answer:
                state = (await answer.json())["state"]
            still.append(upload_id) if state not in ENDS else ends.append(state)
        waiting = still
        await asyncio.sleep(0.5)
    print(f"  the last one at its end {time.monotonic() - started:.1f} s after the return")
    return ends


async def _watch(sandbox: str) -> None:
    """Print the requests that ChatKitty receives in each second."""
    seen = 0
    second = 0
    async with aiohttp.ClientSession() as session:
        while True:
            await asyncio.sleep(1)
            second += 1
            async with session.get(f"{sandbox}/sandbox/requests") as answer:
                requests = [each["method"] for each in await answer.json()]
            new, seen = Counter(requests[seen:]), len(requests)
            if new:
                print(f"  second {second:>3}: {dict(new)}", flush=True)


if __name__ == "__main__":
    main()
