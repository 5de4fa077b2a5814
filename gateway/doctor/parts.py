"""The names of the parts that `doctor` checks. Names never change, since scripts use them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """A part of the installation, in the order in which they are checked."""

    SETTINGS = "settings"
    STORE = "store"
    REDIS = "redis"
    BROKER = "broker"
    AGREEMENT = "agreement"
    UPSTREAM = "upstream"
    FRONT = "front"
    JWT = "jwt"
    INTROSPECTION = "introspection"
    CLOCK = "clock"
    DESCRIPTORS = "descriptors"
    LIBMAGIC = "libmagic"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about a part: `fault`, with its remedy, is None if the part can be used.

    `advice` is what would be better, but is no fault; `notes` report facts that may be intended.
    `reached` is the server that sentinels named.
    """

    part: Part
    fault: str | None = None
    advice: Sequence[str] = ()
    notes: Sequence[str] = ()
    reached: str | None = None
