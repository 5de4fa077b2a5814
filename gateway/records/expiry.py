"""Marks of the hosted files that expire, named by their expiry time.

A listing by name is also one by time, so a search for due files reads only its beginning.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final, NamedTuple

from gateway.store.objects import ObjectStore
from gateway.uploads import keys
from gateway.uploads.ids import parse_id
from gateway.uploads.record import Upload

_MARK: Final = re.compile(re.escape(keys.EXPIRIES) + r"[0-9]{12}/([^/]+)")


class Mark(NamedTuple):
    """A mark: its key, and the id of the upload that expires."""

    key: str
    upload_id: str


class Expiries:
    """The marks in one bucket. Every method raises StoreUnavailable."""

    def __init__(self, store: ObjectStore) -> None:
        """Keep marks in this bucket."""
        self._store = store

    async def place(self, upload: Upload) -> None:
        """Mark the upload's file if its route lets files expire; the same mark each time."""
        if (key := key_of(upload)) is not None:
            await self._store.put(key, b"")

    async def drop(self, upload: Upload) -> None:
        """Remove the upload's mark, if there is one: the file is gone."""
        if (key := key_of(upload)) is not None:
            await self._store.delete(key)

    async def due(self, now: float) -> AsyncIterator[Mark]:
        """The marks that are due at `now` (seconds since the epoch), the oldest first.

        Other keys there are ignored.
        """
        async for info in self._store.list(keys.EXPIRIES):
            if info.key >= keys.expiry(now, ""):
                return
            if (found := _MARK.fullmatch(info.key)) and parse_id(found[1]) is not None:
                yield Mark(info.key, found[1])

    async def forget(self, mark: Mark) -> None:
        """Remove a mark that was dealt with."""
        await self._store.delete(mark.key)


def key_of(upload: Upload) -> str | None:
    """The key of the mark of the upload's file; None if the file does not expire. Pure."""
    if upload.terms.file_retention is None:
        return None
    until = upload.taken_at + timedelta(seconds=upload.terms.file_retention)
    return keys.expiry(until.timestamp(), upload.id)
