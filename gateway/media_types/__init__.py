"""Media types as kinds: other names of a type, and what is a kind of what. Pure.

Systems name the same file in many ways: a FLAC file is `audio/flac` to one browser and
`audio/x-flac` to the next. So kinds are compared here, never names.
"""

from gateway.media_types.claims import active, may_be, may_be_called
from gateway.media_types.kinds import UNKNOWN_TYPE, canonical, is_a, matches

__all__ = [
    "UNKNOWN_TYPE",
    "active",
    "canonical",
    "is_a",
    "matches",
    "may_be",
    "may_be_called",
]
