"""Sessions in the bucket. Every write is conditional: of two at the same time, one is refused."""

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from gateway.errors import (
    ObjectNotFound,
    ObjectTooLarge,
    PreconditionFailed,
    SessionTaken,
    SessionUnreadable,
    UploadNotFound,
)
from gateway.resumable.session import Session, from_json, to_json
from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.telemetry import get_logger
from gateway.uploads import keys

log = get_logger(__name__)

_REMEMBERED: Final = 256
_MOST_AROUND: Final = 16 * 1024
"""Bytes of a form in a session that is remembered: memory for all of them is not counted."""

_REPAIRED_AFTER: Final = 60.0
"""Seconds after which to ask again for a session that cannot be read: it needs an operator."""


class Kept(NamedTuple):
    """A session as it was read or written; `version` is its ETag.

    `age`: seconds since it was written, by the store's clock.
    """

    session: Session
    version: str
    age: float = 0.0


class Sessions:
    """The sessions in one bucket."""

    def __init__(self, store: ObjectStore) -> None:
        """Remember each session after its last write: a client's next request need not read it."""
        self._store = store
        self._last: OrderedDict[str, Kept] = OrderedDict()

    async def create(self, session: Session) -> Kept:
        """Begin a session under its own id. Raises StoreUnavailable."""
        key, document = keys.session(session.id), to_json(session)
        return Kept(session, (await self._store.put(key, document, if_none_match=True)).etag)

    async def read(self, upload_id: str) -> Kept:
        """The session as it is now.

        Raises UploadNotFound, SessionUnreadable, StoreUnavailable.
        """
        self.forget(upload_id)
        try:
            document = await self._store.get(keys.session(upload_id))
            session = from_json(document.content, upload_id)
        except ObjectNotFound:
            raise UploadNotFound("no such upload") from None
        except (msgspec.DecodeError, ObjectTooLarge) as error:
            log.error(  # noqa: TRY400 - it is no fault of ours, and needs no traceback
                "session.unreadable", upload_id=upload_id, error=repr(error)
            )
            raise SessionUnreadable(
                "the state of the upload cannot be read at the moment; its bytes are kept",
                _REPAIRED_AFTER,
            ) from error
        return Kept(session, document.etag, document.age)

    async def has(self, upload_id: str) -> bool:
        """Whether there is such a session, whatever it says. Raises StoreUnavailable."""
        try:
            await self._store.head(keys.session(upload_id))
        except ObjectNotFound:
            return False
        return True

    async def change(self, kept: Kept, session: Session) -> Kept:
        """Write the session, if it has not changed since it was read.

        Raises SessionTaken, StoreUnavailable; after the latter it may or may not be written.
        """
        self.forget(session.id)
        key, document = keys.session(session.id), to_json(session)
        try:
            written = await self._store.put(key, document, if_match=kept.version)
        except PreconditionFailed:
            raise SessionTaken("another request has continued the upload") from None
        return Kept(session, written.etag)

    async def remove(self, upload_id: str) -> None:
        """Remove a session, after its tails. Raises StoreUnavailable."""
        self.forget(upload_id)
        async with aclosing(self._store.list(keys.tails(upload_id))) as tails:
            found = [tail.key async for tail in tails]
        await self._store.delete_all(found)
        await self._store.delete(keys.session(upload_id))

    async def list(self, after: str | None = None) -> AsyncGenerator[ObjectInfo, None]:
        """The objects of sessions after that id, oldest session first.

        Raises StoreUnavailable.
        """
        start = keys.session(after) if after is not None else None
        async for info in self._store.list(keys.SESSIONS, start):
            yield info

    def remember(self, kept: Kept) -> None:
        """Remember a session: its client was answered, and will probably send more to this process.

        A remembered session may be out of date: the store refuses a write that relies on it.
        """
        if kept.session.around > _MOST_AROUND:
            return
        self._last[kept.session.id] = kept
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def recall(self, upload_id: str) -> Kept | None:
        """The session as it is remembered."""
        return self._last.get(upload_id)

    def forget(self, upload_id: str) -> None:
        """Do not rely on what was remembered."""
        self._last.pop(upload_id, None)
