"""The kinds of spans, and how a span is passed on to another process."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

Carrier: TypeAlias = Mapping[str, str]
"""W3C Trace Context: `traceparent`, and `tracestate` if there is any."""

HEADERS: Final = ("traceparent", "tracestate")


class Side(StrEnum):
    """Whether a span is the work of a server, or a client's wait for its answer."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    CONSUMER = "CONSUMER"
