"""Orders to remove a hosted file: one object in the bucket each, durable before anything is done.

A caller that wants a file removed places an order; only workers carry orders out, and the sweeper
finds those that are left. An order is deleted only in the version that was read, so that a newer
one is never lost.
"""

import re
from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from gateway import kept
from gateway.crypto import KeyRing
from gateway.errors import ObjectNotFound, PreconditionFailed
from gateway.store.objects import ObjectStore
from gateway.uploads import keys
from gateway.uploads.ids import new_id, parse_id
from gateway.uploads.links import link_of_token
from gateway.uploads.record import Cause

_WORD: Final = re.compile(r"[\w-]+", re.ASCII)
_IGNORED: Final = re.compile(r"[\t\r\n]")
"""Browsers remove these from a URL (URL standard, section 4.4)."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The file to remove, and why.

    `path`: the resource below ChatKitty's base URL that has to be gone first. `authorization`: the
    encrypted credentials to ask ChatKitty with, if the gateway has none of its own. `application`:
    the application in which ChatKitty was asked when the order was placed, if it is known; another
    application's resources never name the file. `subject`: Redis also forgets this subject's
    upload. `turn` distinguishes an order from an equal one placed before: without it, equal
    documents have the same ETag.
    """

    upload_id: str
    cause: Cause
    path: str | None = None
    authorization: str | None = None
    subject: str | None = None
    application: int | None = None
    turn: str = ""


class Placed(msgspec.Struct, frozen=True):
    """An order under its id, and its age in seconds by the store's clock; `version` is its ETag."""

    id: str
    order: Order
    age: float
    version: str


class Waiting(NamedTuple):
    """An order by its id, and its age in seconds by the store's clock."""

    id: str
    age: float


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Order)
_DONE: Final = b""
"""Content of an order that was carried out and is about to be deleted."""


class Removals:
    """The orders in one bucket. Every method raises StoreUnavailable."""

    def __init__(self, store: ObjectStore) -> None:
        """Keep orders in this bucket."""
        self._store = store

    async def place(self, order: Order, order_id: str | None = None) -> str:
        """Make the order durable, under a new id unless one is given; returns its id."""
        order_id = order_id or new_id()
        await self._store.put(keys.removal(order_id), _encoder.encode(order))
        return order_id

    async def place_once(self, order: Order) -> str:
        """Make the order durable, replacing one with the same cause; returns its id.

        If an order is being carried out, it may have looked too early: it is carried out again.
        """
        key, order = keys.removal(order.upload_id), replace(order, turn=token_hex(8))
        try:
            await self._store.put(key, _encoder.encode(order), if_none_match=True)
        except PreconditionFailed:
            if not await self._renew(key, order):
                return await self.place(order)
        return order.upload_id

    async def _renew(self, key: str, order: Order) -> bool:
        """Replace the order at `key`, if it has the same cause; returns whether that worked."""
        try:
            waiting = await self._store.get(key)
            if kept.read(_decoder, waiting.content).cause is not order.cause:
                return False
            await self._store.put(key, _encoder.encode(order), if_match=waiting.etag)
        except (ObjectNotFound, PreconditionFailed, msgspec.DecodeError):
            return False
        return True

    async def open(self, order_id: str) -> Placed | None:
        """The order; None if it was carried out or dropped. Raises msgspec.DecodeError."""
        try:
            document = await self._store.get(keys.removal(order_id))
        except ObjectNotFound:
            return None
        if document.content == _DONE:
            await self.drop(order_id)
            return None
        order = kept.read(_decoder, document.content)
        return Placed(order_id, order, document.age, document.etag)

    async def amend(self, placed: Placed, order: Order) -> Placed:
        """Replace an opened order by `order`.

        Raises PreconditionFailed if it was placed again since.
        """
        key = keys.removal(placed.id)
        written = await self._store.put(key, _encoder.encode(order), if_match=placed.version)
        return replace(placed, order=order, version=written.etag)

    async def done(self, placed: Placed) -> None:
        """Delete the order, unless it was placed again since it was opened.

        S3 has no conditional deletion, so a placeholder conditionally replaces it first.
        """
        try:
            await self._store.put(keys.removal(placed.id), _DONE, if_match=placed.version)
        except PreconditionFailed:
            return
        await self.drop(placed.id)

    async def drop(self, order_id: str) -> None:
        """Delete the order without carrying it out."""
        await self._store.delete(keys.removal(order_id))

    async def set_aside_unreadable(self, order_id: str) -> bool:
        """Set an order aside, unchanged, if it cannot be decoded; returns whether it was."""
        try:
            await self.open(order_id)
        except msgspec.DecodeError:
            document = await self._store.get(keys.removal(order_id))
            try:
                await self._store.put(keys.dead(order_id), document.content, if_none_match=True)
            except PreconditionFailed:  # of a process that died here, or of that upload
                await self._store.put(keys.dead(new_id()), document.content)
            await self.drop(order_id)
            return True
        return False

    async def all(self, after: str | None = None) -> AsyncIterator[Waiting]:
        """The orders after that id, the oldest first; other keys there are ignored."""
        start = keys.removal(after) if after is not None else None
        async for info in self._store.list(keys.REMOVALS, start):
            if parse_id(order_id := info.key.removeprefix(keys.REMOVALS)) is not None:
                yield Waiting(order_id, info.age)


def uploads_in(url: object, ring: KeyRing) -> frozenset[str]:
    """The ids of the uploads with files that a URL may lead to, also if it has expired. Pure.

    Servers and browsers treat many spellings of host, escapes, slashes and dot segments as equal.
    So this searches only for tokens, anywhere in the URL: only a gateway can make one.
    """
    if not isinstance(url, str):
        return frozenset()
    words = _WORD.findall(unquote(_IGNORED.sub("", url)))
    links = (link_of_token(word, ring, 0.0) for word in words)
    return frozenset(link.upload_id for link in links if link is not None)
