"""Whether the running gateways and workers have the settings that must be the same for all."""

from collections.abc import Collection, Sequence
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.agreement import (
    SECRET_KEY,
    Announcement,
    Role,
    announcement,
    differences,
    running,
)
from gateway.errors import ConfigurationError
from gateway.settings import Settings

_NAMED: Final = 3
"""How many processes are named in one line."""


async def check_agreement(redis: Redis, settings: Settings) -> Sequence[str]:
    """Returns advice. Raises ConfigurationError if running processes have other settings."""
    try:
        others = await running(redis)
    except (RedisError, OSError) as error:
        raise ConfigurationError(
            "Redis does not list the running processes: fix the fault of `redis`, and run doctor"
            " again"
        ) from error
    fault, advice = compared(announcement(settings, Role.GATEWAY), others)
    if fault is not None:
        raise ConfigurationError(fault)
    return advice


def compared(
    ours: Announcement, others: Sequence[Announcement]
) -> tuple[str | None, Sequence[str]]:
    """The fault, if there is one, and advice. Pure.

    If all running processes differ from these settings in the same way, these settings are new and
    not in use yet. That is no fault, except for the secret key, which must be rotated.
    """
    differing: dict[str, list[str]] = {}
    for each in others:
        for variable in differences(ours, each):
            differing.setdefault(variable, []).append(each.who)
    new = {name for name, whose in differing.items() if len(whose) == len(others)} - {SECRET_KEY}
    wrong = differing.keys() - new
    advice = [_restart(new)] if new else []
    advice += _missing(others)
    if not wrong:
        return None, advice
    whose = sorted({who for name in wrong for who in differing[name]})
    fault = (
        f"{_names(whose)} runs with another {', '.join(sorted(wrong))} than these settings:"
        " give all gateways and workers the same values, and restart them"
    )
    return fault, advice


def _restart(new: Collection[str]) -> str:
    return (
        "restart all gateways and workers if these settings are new, or correct them: every"
        f" running process has another {', '.join(sorted(new))}"
    )


def _missing(others: Sequence[Announcement]) -> Sequence[str]:
    """Advice on kinds of processes that do not run; none if nothing has been started yet."""
    return [
        (
            f"start a {role}, or give it the same GATEWAY_REDIS_URL and GATEWAY_REDIS_PREFIX:"
            " none has announced itself in this Redis"
        )
        for role in Role
        if others and all(each.role is not role for each in others)
    ]


def _names(whose: Sequence[str]) -> str:
    more = len(whose) - _NAMED
    return ", ".join(whose[:_NAMED]) + (f" and {more} more" if more > 0 else "")
