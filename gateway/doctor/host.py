"""The machine: its file descriptors, its clock, its libmagic."""

import asyncio
import resource
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from gateway.errors import ConfigurationError

FEWEST_DESCRIPTORS: Final = 1024
"""Each upload in progress takes two, and each process some hundred more."""

MOST_OFF: Final = 30.0
"""Seconds that the clock may be wrong: tokens and signatures are valid by the clock."""

_SECONDS: Final = aiohttp.ClientTimeout(total=10)
_LIBMAGIC: Final = (sys.executable, "-m", "workers.libmagic")


def check_descriptors() -> None:
    """Raises ConfigurationError if this process may open too few files and sockets."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < FEWEST_DESCRIPTORS:
        raise ConfigurationError(
            f"a process may open only {most} files and sockets: raise the limit"
            " (ulimit -n 65536; systemd: LimitNOFILE=65536)"
        )


async def check_libmagic() -> Sequence[str]:
    """Advice if the kernel refuses seccomp.

    Raises ConfigurationError if workers could not start because libmagic is missing.
    """
    process = await asyncio.create_subprocess_exec(*_LIBMAGIC, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    if process.returncode != 0:
        fault = said.decode(errors="replace").strip() or "libmagic cannot be tried"
        raise ConfigurationError(
            f"{fault}: install libmagic (Debian: libmagic1) or the Python package pylibmagic"
        )
    return advice_on_confinement(said.decode())


def advice_on_confinement(means: str) -> Sequence[str]:
    """Advice on the means that confine libmagic. Pure."""
    if "seccomp" in means:
        return ()
    advice = (
        f"libmagic is confined by {means} only: let workers set a seccomp filter (Linux on x86-64"
        " or ARM64, and a container's seccomp profile that does not refuse it)"
    )
    return (advice,)


async def check_clock(urls: Mapping[str, str]) -> None:
    """Raises ConfigurationError if our clock differs from those of the named servers.

    A server that does not answer, or sends no time, does not count.
    """
    async with aiohttp.ClientSession(timeout=_SECONDS) as session:
        found = [(name, await _ahead(session, url)) for name, url in urls.items()]
    if (fault := fault_of_clock([(name, off) for name, off in found if off is not None])) is None:
        return
    raise ConfigurationError(fault)


def fault_of_clock(ahead: Sequence[tuple[str, float]]) -> str | None:
    """What is wrong with our clock, by the seconds that it is ahead of other clocks. Pure."""
    for name, seconds in ahead:
        if abs(seconds) > MOST_OFF:
            direction = "ahead of" if seconds > 0 else "behind"
            return (
                f"this machine's clock is {abs(seconds):.0f} s {direction} that of the {name}:"
                " synchronise both by NTP"
            )
    return None


async def _ahead(session: aiohttp.ClientSession, url: str) -> float | None:
    """The seconds that our clock is ahead of the server's (RFC 9110 section 6.6.1)."""
    try:
        async with session.head(url, allow_redirects=False) as answer:
            date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (aiohttp.ClientError, OSError, ValueError):
        return None
    return (datetime.now(UTC) - date).total_seconds()
