"""Broken set-ups of the machine."""

import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.doctor.ground import Case, Changes, Ground, settings


@asynccontextmanager
async def few_descriptors(_: Ground) -> AsyncIterator[Changes]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_023, before[1]))
    try:
        yield {}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def no_libmagic(ground: Ground) -> AsyncIterator[Changes]:
    stand_in = ground.directory / "magic.py"
    stand_in.write_text("raise ImportError('failed to find libmagic')\n")
    yield {"PYTHONPATH": f"{ground.directory}{os.pathsep}{Path.cwd()}"}


HOST_CASES: Final = [
    Case(
        "the clock is two minutes ahead",
        "clock",
        "this machine's clock is 1… s ahead of that of the upstream",
        "synchronise both by NTP",
        settings(CLOCK_OFF_BY="120"),
    ),
    Case(
        "few file descriptors",
        "descriptors",
        "a process may open only 1023 files and sockets",
        "raise the limit (ulimit -n 65536; systemd: LimitNOFILE=65536)",
        few_descriptors,
    ),
    Case(
        "no libmagic",
        "libmagic",
        "…failed to find libmagic",
        "install libmagic (Debian: libmagic1) or the Python package pylibmagic",
        no_libmagic,
    ),
]
