"""A process whose clock is wrong: what it takes for the time of day is off.

Durations are not: the monotonic clock is the kernel's, as on a machine whose date is set wrong.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import time_machine
import uuid_utils

from gateway.uploads import ids

OFF_BY = "CLOCK_OFF_BY"
"""The environment variable that says by how many seconds."""


def be_off_by(seconds: float) -> None:
    """Have this process's clock be wrong from now on."""
    time_machine.travel(timedelta(seconds=seconds), tick=True).start()
    uuid7, milliseconds = uuid_utils.uuid7, int(seconds * 1000)
    # It asks the system, not Python, for the time.
    vars(ids)["uuid7"] = lambda: UUID(int=uuid7().int + (milliseconds << 80))


def main() -> None:
    """Print what the clocks of this process say, and how long a moment takes on its loop."""
    sys.stdout.write(
        json.dumps(
            {
                "time": time.time(),
                "datetime": datetime.now(UTC).timestamp(),
                "id": (UUID(ids.new_id()).int >> 80) / 1000,
                "monotonic": time.monotonic(),
                "moment": asyncio.run(_moment()),
            }
        )
    )


async def _moment() -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    await asyncio.sleep(0.01)
    return clock() - started
