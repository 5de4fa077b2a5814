"""Requests with only a part of an upload. Pure.

If the gateway cannot put it together with the rest, it must not be taken for the whole: it would be
registered, or relayed, as a truncated file. A request that could be resumed, but has all of its
content (as every upload task of iOS), is an upload like any other.

Source: draft-ietf-httpbis-resumable-upload (from interop version 3 on), tus 1.0.0.
"""

import re
from typing import Final

from multidict import CIMultiDictProxy, istr

from gateway.errors import ResumableUpload

_PARTS: Final = frozenset({"application/partial-upload", "application/offset+octet-stream"})
_SOME: Final = re.compile(r"0*[1-9][0-9]*", re.ASCII)
# Names of this type are looked up in half the time of text; every request is asked for them.
_COMPLETE: Final = istr("Upload-Complete")
_INCOMPLETE: Final = istr("Upload-Incomplete")
_OFFSET: Final = istr("Upload-Offset")
_MORE: Final = {_COMPLETE: "?0", _INCOMPLETE: "?1"}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED: Final = "uploads cannot be resumed here, and {}: send the whole file in one request"


def check_whole(headers: CIMultiDictProxy[str]) -> None:
    """Raises ResumableUpload for a request that declares its content incomplete.

    Invalid values of such a header are ignored, as the draft says.
    """
    named = _COMPLETE in headers or _INCOMPLETE in headers
    if named and (name := _says_more(headers)) is not None:
        raise ResumableUpload(_REFUSED.format(f"{name} says that more parts follow"))
    if _OFFSET in headers:
        check_first(headers)


def is_whole(headers: CIMultiDictProxy[str]) -> bool:
    """Whether nothing says that more of the content is to follow."""
    return _says_more(headers) is None


def check_first(headers: CIMultiDictProxy[str]) -> None:
    """Raises ResumableUpload for a request that says that earlier parts were sent."""
    offsets = _items(headers, _OFFSET) if _OFFSET in headers else ()
    if any(map(_SOME.fullmatch, offsets)):
        raise ResumableUpload(_REFUSED.format("Upload-Offset says that earlier parts were sent"))


def _says_more(headers: CIMultiDictProxy[str]) -> str | None:
    """The field that says that more is to follow, None if none does."""
    for name, value in _MORE.items():
        if name in headers and value in _items(headers, name):
            return name
    return None


def check_passed(method: str, headers: CIMultiDictProxy[str]) -> None:
    """Also refuse requests that can only begin or continue an upload in parts.

    For requests that are no multipart upload. Raises ResumableUpload.
    """
    check_whole(headers)
    if method in _SAFE:
        return
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _PARTS:
        raise ResumableUpload(
            _REFUSED.format("the Content-Type says that this is a part of an upload")
        )
    if "Tus-Resumable" in headers:
        raise ResumableUpload(_REFUSED.format("this is a request of the tus protocol"))


def _items(headers: CIMultiDictProxy[str], name: str) -> set[str]:
    """The items (RFC 9651 section 3.3) on all lines of that name, without their parameters."""
    return {each.partition(";")[0].strip() for each in headers.getall(name)}
