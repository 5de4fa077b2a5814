"""What to send a reader of a file: all of it, a part, or nothing, by its conditions. Pure.

Source: RFC 9110 sections 8.8 (validators), 13 (conditions, in the order of 13.2.2) and 14 (ranges).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate
from enum import Enum
from typing import Final

from multidict import CIMultiDictProxy

_RANGE: Final = re.compile(r"bytes=(\d{0,99})-(\d{0,99})", re.ASCII | re.IGNORECASE)
_TAG: Final = re.compile(r'(W/)?("[!#-~\x80-\xff]*")')
_TIME: Final = r"\d\d:\d\d:\d\d"
_DATE: Final = re.compile(
    rf"[A-Z][a-z]{{2}}, \d\d [A-Z][a-z]{{2}} \d{{4}} {_TIME} GMT"
    rf"|[A-Z][a-z]{{5,8}}, \d\d-[A-Z][a-z]{{2}}-\d\d {_TIME} GMT"
    rf"|[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ \d]\d {_TIME} \d{{4}}",
    re.ASCII,
)
"""Section 5.6.7: the fixed format, and the two obsolete ones that every recipient takes."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` to `end`, the last one exclusive; `partial` if they are not the whole."""

    start: int
    end: int
    partial: bool

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


class Without(Enum):
    """Why a reader has no content."""

    NOT_MODIFIED = 304
    """It has it already."""

    FAILED = 412
    """It wants another content, or none."""

    NOT_SATISFIABLE = 416
    """The file has no such range."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What distinguishes contents: a strong `ETag`, and `Last-Modified`, in seconds.

    The content never changes, so the date is a strong validator as well (section 8.8.2.2).
    """

    etag: str
    modified: datetime

    @property
    def last_modified(self) -> str:
        """The date as a header has it."""
        return format_datetime(self.modified, usegmt=True)


def decide(
    method: str, headers: CIMultiDictProxy[str], validators: Validators, size: int
) -> ByteRange | Without:
    """What the answer to a `GET` or `HEAD` for a file of `size` bytes contains, or why nothing.

    Conditions that cannot be read are ignored; but an unreadable `If-Match` or `If-None-Match`
    matches no content.
    """
    if not _precondition_holds(headers, validators):
        return Without.FAILED
    if _is_known(headers, validators):
        return Without.NOT_MODIFIED
    asked = headers.getall("Range", ())
    # Section 14.2: ranges are for GET only.
    if method != "GET" or len(asked) != 1 or not _range_holds(headers, validators):
        return ByteRange(0, size, partial=False)
    return requested_range(asked[0], size) or Without.NOT_SATISFIABLE


def requested_range(header: str, size: int) -> ByteRange | None:
    """The range to answer with, or None if it cannot be satisfied.

    Other units, and several ranges at once, get the whole file, as section 14.2 allows.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return ByteRange(0, size, partial=False)
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
    return ByteRange(start, end, partial=True) if start < end else None


def _precondition_holds(headers: CIMultiDictProxy[str], validators: Validators) -> bool:
    """Steps 1 and 2: `If-Match`, by which tags are compared strongly, or `If-Unmodified-Since`."""
    if "If-Match" in headers:
        lines = headers.getall("If-Match")
        return _is_any(lines) or ("", validators.etag) in _tags(lines)
    since = _date(headers.getall("If-Unmodified-Since", ()))
    return since is None or validators.modified <= since


def _is_known(headers: CIMultiDictProxy[str], validators: Validators) -> bool:
    """Steps 3 and 4: `If-None-Match`, by which they are compared weakly, or `If-Modified-Since`."""
    if "If-None-Match" in headers:
        return is_named(headers.getall("If-None-Match"), validators.etag)
    since = _date(headers.getall("If-Modified-Since", ()))
    return since is not None and validators.modified <= since


def is_named(lines: Sequence[str], etag: str) -> bool:
    """Whether these lines of `If-None-Match` name the entity tag, by weak comparison, or any."""
    return _is_any(lines) or etag in {tag for _, tag in _tags(lines)}


def _range_holds(headers: CIMultiDictProxy[str], validators: Validators) -> bool:
    """Step 5: by `If-Range`, a reader that has a part of another content gets the whole."""
    lines = headers.getall("If-Range", ())
    if not lines:
        return True
    return [line.strip() for line in lines] == [validators.etag] or (
        _date(lines) == validators.modified
    )


def _is_any(lines: Sequence[str]) -> bool:
    return [line.strip() for line in lines] == ["*"]


def _tags(lines: Sequence[str]) -> set[tuple[str, str]]:
    """The entity tags of a list, each with the mark of a weak one before it."""
    return {(weak, tag) for line in lines for weak, tag in _TAG.findall(line)}


def _date(lines: Sequence[str]) -> datetime | None:
    """The date in a header; None if it has no date, or several."""
    text = lines[0].strip() if len(lines) == 1 else ""
    parts = parsedate(text) if _DATE.fullmatch(text) else None
    if parts is None:
        return None
    try:
        return datetime(*parts[:6], tzinfo=UTC)
    except ValueError:
        return None
