"""How many examples properties try: few in `make test`, many in `make test-slow`."""

from typing import Final

from hypothesis import HealthCheck, settings

FEW: Final = "few"
MANY: Final = "many"

_MOST_OF_FEW: Final = 40


def register_profiles() -> None:
    """Register both profiles, and load that of few examples.

    How long an example takes says more of what else the machine does than of our code.
    """
    untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(FEW, untimed, max_examples=_MOST_OF_FEW)
    settings.register_profile(MANY, untimed)
    settings.load_profile(FEW)


def are_many() -> bool:
    """Whether many examples are asked for, by `--hypothesis-profile many`."""
    return settings.get_current_profile_name() == MANY


def examples(number: int) -> settings:
    """A property's settings: `number` examples if many are asked for, otherwise at most 40."""
    return settings(max_examples=number if are_many() else min(number, _MOST_OF_FEW))
