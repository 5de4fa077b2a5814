"""What `doctor` looks at, by name. A name stays what it is: scripts go by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """A part of the set-up, in the order in which they are looked at."""

    SETTINGS = "settings"
    STORE = "store"
    REDIS = "redis"
    BROKER = "broker"
    AGREEMENT = "agreement"
    UPSTREAM = "upstream"
    JWT = "jwt"
    INTROSPECTION = "introspection"
    CLOCK = "clock"
    DESCRIPTORS = "descriptors"
    LIBMAGIC = "libmagic"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a part: `fault`, with its remedy, is None if it can be used.

    `advice` is what would be better, and no fault; `notes` report facts that may be right.
    `reached` is what a name has led to, where others were asked for it.
    """

    part: Part
    fault: str | None = None
    advice: Sequence[str] = ()
    notes: Sequence[str] = ()
    reached: str | None = None
