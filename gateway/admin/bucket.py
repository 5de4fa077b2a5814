"""The bucket as an operator's command opens it, and what it has of an upload."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.errors import GatewayError, IllegalTransition, ObjectNotFound, ObjectTooLarge
from gateway.records.bucket import BucketRecords
from gateway.records.orphans import was_accepted
from gateway.records.outbox import Outbox
from gateway.resumable import session as sessions
from gateway.settings import Settings
from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.terminal import Console
from gateway.uploads import keys
from gateway.uploads.ids import parse_id
from gateway.uploads.lifecycle import supersedes
from gateway.uploads.record import Upload, from_json

DEAD: Final = "dead"
"""What replaces the state of a record that was set aside."""

UNREADABLE: Final = "unreadable"

Act = Callable[["Session", str], Awaitable[str]]
"""Acts on one upload; returns what was done, or raises NotDone."""


class NotDone(GatewayError):
    """The gateway does not do what an operator asked for; the text says why."""


@dataclass(frozen=True, slots=True)
class Session:
    """What the commands work with."""

    settings: Settings
    store: ObjectStore
    records: BucketRecords
    outbox: Outbox
    console: Console

    def out(self, line: str) -> None:
        """Print a result."""
        self.console.out(line)

    def err(self, line: str) -> None:
        """Print anything else."""
        self.console.err(line)

    def report(self, upload_id: str, said: str, *, done: bool) -> None:
        """Print what was done to an upload, or why nothing was."""
        if self.console.as_json:
            self.out(json.dumps({"id": upload_id, "done": done, "text": said}))
        elif done:
            self.out(f"{upload_id}: {said}")
        else:
            self.err(f"error: {upload_id}: {said}")


@dataclass(frozen=True, slots=True)
class Found:
    """A record in the bucket: its key, and its age in seconds by the store's clock.

    `upload` is None if the record cannot be read. `offset`: the bytes that have come, if the upload
    comes in several requests and has no other record yet, and `length` how many there will be.
    """

    key: str
    age: float
    upload: Upload | None = None
    offset: int | None = None
    length: int | None = None

    @property
    def upload_id(self) -> str:
        """The upload's id, even if the record cannot be read."""
        return keys.id_of(self.key)

    @property
    def state(self) -> str:
        """The upload's state, or what replaces it."""
        if self.upload is not None:
            return self.upload.state
        return DEAD if self.key.startswith(keys.DEAD) else UNREADABLE

    @property
    def size(self) -> int:
        """The bytes of its files, or those that have come."""
        if self.offset is not None:
            return self.offset
        return sum(file.size for file in self.upload.files) if self.upload is not None else 0


@dataclass(frozen=True, slots=True)
class Orphan:
    """A complete file without a record, its mark, and the copy of the record that can be read.

    `left`: seconds until it is removed; None before a sweeper has marked it.
    """

    file: ObjectInfo
    mark: ObjectInfo | None
    spare: Upload | None
    left: float | None

    @property
    def upload_id(self) -> str:
        """The upload's id."""
        return keys.id_of(self.file.key)

    @property
    def was_accepted(self) -> bool:
        """Whether it is known that the upload was accepted."""
        return self.mark is not None and was_accepted(self.mark)


class NoSuchUpload(NotDone):
    """The bucket has no record of the upload."""

    def __init__(self) -> None:
        super().__init__(
            "the bucket has no upload of this id; a relayed one that awaits its audit may be only"
            " in Redis"
        )


def checked_id(text: str) -> str:
    """The text, if it is the id of an upload. Raises NotDone."""
    if parse_id(text) is None:
        raise NotDone("this is not the id of an upload")
    return text


async def act_on(
    session: Session, upload_id: str, act: Act, but: type[NotDone] | None = None
) -> bool:
    """Act on one upload and print the result. Raises a refusal of the type `but`."""
    try:
        said = await act(session, checked_id(upload_id))
    except msgspec.MsgspecError:
        session.report(upload_id, "its record cannot be read", done=False)
        return False
    except (NotDone, IllegalTransition) as error:
        if but is not None and isinstance(error, but):
            raise
        session.report(upload_id, str(error), done=False)
        return False
    session.report(upload_id, said, done=True)
    return True


@dataclass(slots=True)
class Tally:
    """The result for many uploads: whether all succeeded, how many there were, and were skipped."""

    done: bool = True
    tried: int = 0
    left: int = 0

    async def act_on(
        self, session: Session, upload_id: str, act: Act, but: type[NotDone] | None = None
    ) -> None:
        """Act on one more; those refused with `but` are skipped and counted, not printed."""
        self.tried += 1
        try:
            done = await act_on(session, upload_id, act, but)
        except NotDone:
            self.left += 1
            session.console.count("skipped")
        else:
            self.done = self.done and done
            session.console.count("done" if done else "refused")


async def find(store: ObjectStore, upload_id: str) -> Found:
    """The record that counts, or else the one that was set aside.

    Raises NotDone if there is none, StoreUnavailable.
    """
    found = await read(store, keys.pending(upload_id), keys.record(upload_id))
    found = found or await read_session(store, upload_id)
    found = found or await _read(store, keys.dead(upload_id))
    if found is None:
        raise NoSuchUpload
    return found


async def read(store: ObjectStore, *places: str) -> Found | None:
    """The record that counts among those under the keys; the first key is the pending one's."""
    found = [each for key in places if (each := await _read(store, key)) is not None]
    if len(found) < 2:
        return found[0] if found else None
    pending, ended = found
    if pending.upload is None or ended.upload is None:
        return pending
    return pending if supersedes(pending.upload, ended.upload) else ended


async def read_session(store: ObjectStore, upload_id: str) -> Found | None:
    """The upload that comes in several requests, as far as it has come.

    Raises StoreUnavailable.
    """
    key = keys.session(upload_id)
    try:
        document = await store.get(key)
    except ObjectNotFound:
        return None
    except ObjectTooLarge:
        return Found(key, 0.0)
    try:
        session = sessions.from_json(document.content, upload_id)
    except msgspec.MsgspecError:
        return Found(key, document.age)
    return Found(key, document.age, session.upload, session.offset, session.length)


async def file_of(store: ObjectStore, upload_id: str) -> ObjectInfo | None:
    """The upload's file, if the bucket has it. Raises StoreUnavailable."""
    try:
        return await store.head(keys.incoming(upload_id))
    except ObjectNotFound:
        return None


async def _read(store: ObjectStore, key: str) -> Found | None:
    try:
        document = await store.get(key)
    except ObjectNotFound:
        return None
    except ObjectTooLarge:
        return Found(key, 0.0)
    if key.startswith(keys.DEAD):
        return Found(key, document.age)
    try:
        return Found(key, document.age, from_json(document.content))
    except msgspec.MsgspecError:
        return Found(key, document.age)
