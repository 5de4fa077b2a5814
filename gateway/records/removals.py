"""Orders to remove a hosted file: one object in the bucket each, durable before anything is done.

Whoever wants a file removed places an order; workers alone carry it out, and the sweeper finds
what they left. Each order is dropped by its own id, so that no later one is dropped with it.
"""

import re
from collections.abc import AsyncIterator
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec

from gateway import kept
from gateway.crypto import KeyRing
from gateway.errors import ObjectNotFound
from gateway.store.objects import ObjectStore
from gateway.uploads import keys
from gateway.uploads.ids import new_id, parse_id
from gateway.uploads.links import link_of_token
from gateway.uploads.record import Cause

_WORD: Final = re.compile(r"[\w-]+", re.ASCII)
_IGNORED: Final = re.compile(r"[\t\r\n]")
"""Browsers take these out of a URL (URL standard, section 4.4)."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Whose file is to be removed, and why.

    `path`: what is below ChatKitty's base URL and has to be gone before. `authorization` is the
    encrypted one by which it may be asked, where the gateway has none of its own. Of a
    `subject`, Redis is to forget the upload as well.
    """

    upload_id: str
    cause: Cause
    path: str | None = None
    authorization: str | None = None
    subject: str | None = None


class Placed(msgspec.Struct, frozen=True):
    """An order under its id, and its age in seconds by the store's clock."""

    id: str
    order: Order
    age: float


class Waiting(NamedTuple):
    """An order by its id, and its age in seconds by the store's clock."""

    id: str
    age: float


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Order)


class Removals:
    """The orders in one bucket. Every method raises StoreUnavailable."""

    def __init__(self, store: ObjectStore) -> None:
        """Keep orders in this bucket."""
        self._store = store

    async def place(self, order: Order, order_id: str | None = None) -> str:
        """Make the order durable, under a new id or as one that may be there; returns its id."""
        order_id = order_id or new_id()
        await self._store.put(keys.removal(order_id), _encoder.encode(order))
        return order_id

    async def open(self, order_id: str) -> Placed | None:
        """The order, None where it was carried out or dropped. Raises msgspec.DecodeError."""
        try:
            document = await self._store.get(keys.removal(order_id))
        except ObjectNotFound:
            return None
        return Placed(order_id, kept.read(_decoder, document.content), document.age)

    async def drop(self, order_id: str) -> None:
        """Forget the order: it was carried out, or is not to be."""
        await self._store.delete(keys.removal(order_id))

    async def all(self, after: str | None = None) -> AsyncIterator[Waiting]:
        """The orders after that id, the oldest first; what else is there is nobody's."""
        start = keys.removal(after) if after is not None else None
        async for info in self._store.list(keys.REMOVALS, start):
            if parse_id(order_id := info.key.removeprefix(keys.REMOVALS)) is not None:
                yield Waiting(order_id, info.age)


def uploads_in(url: object, ring: KeyRing) -> frozenset[str]:
    """The ids of the uploads whose files a URL may lead to, also where that has ended. Pure.

    Servers and browsers read many spellings as one: of host, escapes, slashes and dot segments.
    So it is looked for nothing but the tokens, wherever in the URL: nobody else can make one.
    """
    if not isinstance(url, str):
        return frozenset()
    words = _WORD.findall(unquote(_IGNORED.sub("", url)))
    links = (link_of_token(word, ring, 0.0) for word in words)
    return frozenset(link.upload_id for link in links if link is not None)
