"""Media types: the other names of each, and which type is a kind of which. Pure.

Systems name the same file in many ways: a FLAC file is `audio/flac` in one browser and
`audio/x-flac` in the next. So types are compared here by kind, never by name.
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
