"""What `doctor` finds, for the page."""

import asyncio
import os
from contextlib import aclosing
from typing import Final

from gateway.errors import Unavailable
from gateway.settings import Settings, unknown_names

_PATIENCE: Final = 90.0


class Examiner:
    """Runs `doctor` once at a time."""

    def __init__(self, settings: Settings) -> None:
        """Examine what these settings use."""
        self._settings = settings
        self._lock = asyncio.Lock()

    async def examine(self) -> dict[str, object]:
        """Try every part. Raises Unavailable if that takes too long, or is being done."""
        # It brings clients that a gateway does not need otherwise.
        from gateway.doctor.examination import document_of, look_at, used  # noqa: PLC0415

        if self._lock.locked():
            raise Unavailable("doctor is already running")
        async with self._lock:
            try:
                async with (
                    asyncio.timeout(_PATIENCE),
                    aclosing(
                        look_at(self._settings, unknown_names(os.environ), used(self._settings))
                    ) as findings,
                ):
                    return document_of([finding async for finding in findings])
            except TimeoutError:
                raise Unavailable(f"doctor did not finish within {_PATIENCE:g} s") from None
