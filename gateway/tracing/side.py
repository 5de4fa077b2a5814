"""What a span is, and what is handed on of it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

Carrier: TypeAlias = Mapping[str, str]
"""W3C Trace Context: `traceparent`, and `tracestate` where there is any."""

HEADERS: Final = ("traceparent", "tracestate")


class Side(StrEnum):
    """Whether a span is the work of who was asked, or the wait of who asks."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    CONSUMER = "CONSUMER"
