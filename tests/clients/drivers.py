"""Runs a real client's driver in a process of its own and reads its report."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.install import HERE, NODE

PY_SDK = HERE / "python" / "py_sdk.py"
# A proxy of the machine is no part of what is tested.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
}


@dataclass(frozen=True)
class Account:
    """Whom a client talks to, and as whom."""

    base_url: str
    token_url: str
    client_id: str
    client_secret: str
    access_token: str
    channel: int
    user: int


@dataclass(frozen=True)
class Form:
    """What a client sends: the file, the import (a JSON array) and the fields beside the file."""

    file: Path
    users: Path
    group_tag: str
    properties: str


@dataclass(frozen=True)
class Answer:
    """What a client got for one call: the status, and the body as its SDK reads it."""

    call: str
    status: int
    body: Any


def node_argv(
    node: Path, driver: str, account: Account, form: Form, calls: Sequence[str]
) -> list[str]:
    """The command that makes `calls` with a Node SDK; `driver` is its script's name."""
    credentials = {
        "token-url": account.token_url,
        "client-id": account.client_id,
        "client-secret": account.client_secret,
    }
    return [
        str(node),
        str(NODE / driver),
        *_options(credentials),
        *_options(_common(account, form, calls)),
    ]


def python_argv(python: Path, account: Account, form: Form, calls: Sequence[str]) -> list[str]:
    """The command that makes `calls` with the Python SDK."""
    credentials = {"access-token": account.access_token}
    return [
        str(python),
        str(PY_SDK),
        *_options(credentials),
        *_options(_common(account, form, calls)),
    ]


async def run_driver(argv: Sequence[str]) -> dict[str, Answer]:
    """Run a driver; its answers by call. Raises AssertionError with its stderr where it fails."""
    stdout = await run(argv)
    answers = [Answer(**json.loads(line)) for line in stdout.splitlines()]
    return {answer.call: answer for answer in answers}


async def run(argv: Sequence[str], seconds: float = 120.0, directory: Path | None = None) -> str:
    """Run a command to its end; its standard output. It is killed after `seconds`."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
        cwd=directory,
    )
    try:
        async with asyncio.timeout(seconds):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise AssertionError(f"{argv[0]} ended with {process.returncode}: {stderr.decode()}")
    return stdout.decode()


def _common(account: Account, form: Form, calls: Sequence[str]) -> dict[str, str]:
    return {
        "base-url": account.base_url,
        "channel": str(account.channel),
        "user": str(account.user),
        "file": str(form.file),
        "users": str(form.users),
        "group-tag": form.group_tag,
        "properties": form.properties,
        "calls": ",".join(calls),
    }


def _options(values: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]
