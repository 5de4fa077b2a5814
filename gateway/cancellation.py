"""Ends background tasks, although a library may swallow a cancellation.

A client of Redis that is connecting may take a cancellation for a fault of the network, and
`asyncio.wait_for` of Python 3.11 loses some (python/cpython#86296).
"""

import asyncio
from typing import Final

CANCEL_SECONDS: Final = 0.2
"""How long to wait for the end of a cancelled task before it is cancelled again."""


async def end(task: asyncio.Task[object]) -> None:
    """Cancel the task, as often as it takes, and return once it has ended. Raises nothing of it."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)
