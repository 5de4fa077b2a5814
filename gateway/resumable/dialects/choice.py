"""Which dialect a request speaks. Pure."""

from typing import Final

from multidict import CIMultiDictProxy

from gateway.errors import MalformedRequest
from gateway.resumable.dialects.draft import (
    COMPLETE,
    DRAFTS,
    INCOMPLETE,
    LENGTH,
    OFFSET,
    VERSION,
    Draft,
    draft_of,
)
from gateway.resumable.dialects.tus import RESUMABLE, TUS, check_version
from gateway.resumable.protocol import Dialect, Door

_ALL: Final[tuple[Dialect, ...]] = (*DRAFTS, TUS)
_BY_NAME: Final = {each.name: each for each in _ALL}
_FIELDS: Final = (VERSION, COMPLETE, INCOMPLETE, OFFSET, LENGTH)
_NOT_OF_HEAD: Final = (OFFSET, COMPLETE, INCOMPLETE)


def by_name(name: str) -> Dialect:
    """The dialect of that name. Raises KeyError."""
    return _BY_NAME[name]


def of_creation(headers: CIMultiDictProxy[str], door: Door) -> Dialect:
    """The dialect of a request that begins an upload at `door`.

    Raises UnsupportedTusVersion, and MalformedRequest for tus at the other door.
    """
    if door is Door.TUS:
        check_version(headers)
        return TUS
    if RESUMABLE in headers:
        raise MalformedRequest("tus uploads begin at /gateway/tus followed by ChatKitty's path")
    return draft_of(headers)


def of_resource(method: str, headers: CIMultiDictProxy[str]) -> Dialect | None:
    """The dialect of a request to an upload; None if the request does not continue an upload.

    tus wins: on iOS, tus clients send through upload tasks, to which iOS adds the draft's headers.
    Raises UnsupportedTusVersion and MalformedRequest.
    """
    if RESUMABLE in headers:
        check_version(headers)
        return TUS
    if method == "HEAD":
        return _of_head(headers)
    if method == "PATCH" or any(name in headers for name in _FIELDS):
        return draft_of(headers)
    return None


def _of_head(headers: CIMultiDictProxy[str]) -> Draft:
    """The draft of a HEAD request. Drafts before version 7 refuse these headers."""
    if unfit := [name for name in _NOT_OF_HEAD if name in headers]:
        raise MalformedRequest(
            f"a HEAD request asks for the state of an upload: send no {unfit[0]}"
        )
    return draft_of(headers)
