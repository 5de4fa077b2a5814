"""Requests that Schemathesis makes of the document: the gateway answers all of them as it says.

They are the same in every run. To see one by itself, start `chatkitty-gateway up` and run
`SCHEMATHESIS_HOOKS=tests.openapi.serializers schemathesis --config-file
tests/openapi/schemathesis.toml run gateway/openapi.json --url http://127.0.0.1:8080`.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.openapi.test_document import FILE
from tests.pages.ground import ADMIN_TOKEN
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import TOKENS
from tests.servers.zygote import ForkedPart

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE: Final = 800.0
ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
HOOKS: Final = f"{__package__}.serializers"
LEFT_OUT: Final = ("/metrics", "/gateway/events")
"""What only operators reach, and an answer that does not end (see test_answers.py)."""
OF_OPERATORS: Final = ("/metrics", "/gateway/healthz", "/gateway/readyz")
OF_THE_PAGE: Final = "^/gateway/admin/"


async def schemathesis(
    directory: Path, url: str, *options: str, token: str = TOKENS["alice"]
) -> tuple[int, str]:
    """Its exit status, and what it says."""
    program = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG)),
        *("--no-color", "run", str(FILE), "--url", url),
        *("--header", f"Authorization: Bearer {token}", *options),
        cwd=directory,  # it writes there
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": HOOKS, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return program.returncode or 0, said.decode()


async def test_the_public_listener_answers_as_described(
    start_gateway: StartGateway, worker: ForkedPart, tmp_path: Path
) -> None:
    assert worker.exit_status is None
    gateway = start_gateway(
        delivery="external", delete_files="true", serve_files="stream", try_page="true"
    )
    await gateway.until_ready()
    left_out = [word for path in LEFT_OUT for word in ("--exclude-path", path)]
    left_out += ["--exclude-path-regex", OF_THE_PAGE]
    status, said = await schemathesis(tmp_path, gateway.url, *left_out)
    assert status == 0, said


async def test_the_listener_of_operators_answers_as_described(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    gateway = start_gateway(delivery="external")
    await gateway.until_ready()
    paths = [word for path in OF_OPERATORS for word in ("--include-path", path)]
    status, said = await schemathesis(tmp_path, gateway.admin_url, *paths)
    assert status == 0, said


async def test_the_operators_page_is_answered_as_described(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    gateway = start_gateway(delivery="external", admin_token=ADMIN_TOKEN)
    await gateway.until_ready()
    status, said = await schemathesis(
        tmp_path, gateway.admin_url, "--include-path-regex", OF_THE_PAGE, token=ADMIN_TOKEN
    )
    assert status == 0, said
