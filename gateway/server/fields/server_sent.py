"""Events as a server sends them to a client that reads on (HTML Standard, section 9.2). Pure."""

import json
from collections.abc import Mapping
from typing import Final

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
"""Those of an answer that consists of events. nginx would buffer it without the last one."""

OPENING: Final = b"retry: 3000\n\n"
"""How many milliseconds a client waits until it connects again."""

HEARTBEAT: Final = b":\n\n"
"""A comment."""


def event(kind: str, event_id: str, members: Mapping[str, object]) -> bytes:
    """One event; its data are a JSON object."""
    return f"id: {event_id}\nevent: {kind}\ndata: {json.dumps(members)}\n\n".encode()
