"""The `Prefer` header of an upload (RFC 7240): whether, and how long, its client waits. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_WAIT = 300.0


@dataclass(frozen=True, slots=True)
class Preference:
    """Seconds to wait for the registration, and what to say in `Preference-Applied`."""

    wait: float
    applied: str | None


def preference(values: Sequence[str], default_wait: float) -> Preference:
    """What the client prefers; anything unknown or malformed is ignored, as the RFC asks.

    Of a preference that is named several times, the first counts (section 2). `wait=N` sets the
    limit; `respond-async` alone asks for the 202 at once (section 4.1); with `wait`, for the 202
    after that time (section 4.3).
    """
    wanted: dict[str, str] = {}
    for item in ",".join(values).split(","):
        wanted.setdefault(*_parse(item))
    wait = wanted.get("wait", "")
    if wait.isascii() and wait.isdigit():
        seconds = min(float(wait), LONGEST_WAIT)
        return Preference(seconds, f"wait={int(seconds)}")
    if "respond-async" in wanted:
        return Preference(0.0, "respond-async")
    return Preference(default_wait, None)


def _parse(item: str) -> tuple[str, str]:
    name, _, value = item.partition(";")[0].partition("=")
    return name.strip().lower(), value.strip().strip('"')
