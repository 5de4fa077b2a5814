"""The IETF draft of resumable uploads, in each version that clients use. Pure.

Source: draft-ietf-httpbis-resumable-upload-01 (interop version 3) to -11 and later (8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from multidict import CIMultiDictProxy

from gateway.errors import (
    InconsistentUploadLength,
    MalformedRequest,
    UnsupportedContentType,
)
from gateway.multipart import Ambiguity, parse_disposition
from gateway.resumable.dialects import items
from gateway.resumable.dialects.digests import CONTENT_DIGEST, digest_in, digests_of_whole
from gateway.resumable.protocol import (
    Append,
    Checksum,
    Creation,
    HeadLike,
    Limits,
    Reply,
    Report,
    content_size,
)
from gateway.text import as_received

VERSION: Final = "Upload-Draft-Interop-Version"
OFFSET: Final = "Upload-Offset"
LENGTH: Final = "Upload-Length"
COMPLETE: Final = "Upload-Complete"
INCOMPLETE: Final = "Upload-Incomplete"
PARTIAL: Final = "application/partial-upload"

_OF_FORMS: Final = frozenset({Ambiguity.DISPOSITION_TYPE, Ambiguity.NAME_MISSING})
"""Prefix that makes a request's Content-Disposition readable like a form part's."""
_USUAL: Final = frozenset({Ambiguity.PARAMETER_EXTENDED})


@dataclass(frozen=True, slots=True)
class Draft:
    """One version of the draft; `version` is None for requests that name no supported version.

    `lifetime` is the member of Upload-Limit that says how long an upload is kept; None in versions
    without that field. `appended_status` is the status after an append that is not the last.
    """

    version: int | None
    inverted: bool = False
    typed: bool = True
    lifetime: str | None = "max-age"
    appended_status: int = 204

    @property
    def name(self) -> str:
        """`draft-8`, for example; `draft` without a version."""
        return "draft" if self.version is None else f"draft-{self.version}"

    def creation(self, head: HeadLike) -> Creation:
        """What a creation asks for; without the draft's headers, it brings the whole file.

        Raises MalformedRequest, and InconsistentUploadLength.
        """
        complete = self._is_complete(head.headers) is not False
        if items.size(head.headers, OFFSET):
            raise MalformedRequest(
                f"{OFFSET} says that earlier bytes were sent, but this request begins an upload"
            )
        length, content = _length(head, 0, complete=complete), content_size(head)
        if length is not None and content is not None and content > length:
            raise _inconsistent(length, content)
        name, escaped = _name(head.headers)
        return Creation(
            length=length,
            complete=complete,
            name=name,
            type=head.headers.get("Content-Type"),
            has_content=content != 0,
            escaped=escaped,
            checksum=_checksum(head.headers, complete=complete),
        )

    def append(self, head: HeadLike) -> Append:
        """What an append asks for.

        Raises MalformedRequest, UnsupportedContentType and InconsistentUploadLength.
        """
        kind = head.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.typed and kind != PARTIAL:
            raise UnsupportedContentType(
                f"send a part of an upload with the Content-Type {PARTIAL}"
            )
        offset = items.size(head.headers, OFFSET)
        if offset is None:
            raise MalformedRequest(f"{OFFSET} must be the number of bytes that were sent before")
        complete = self._is_complete(head.headers)
        if complete is None:
            raise MalformedRequest(f"{self._field} must say whether more parts follow")
        length = _length(head, offset, complete=complete)
        return Append(offset, complete, length, digest_in(head.headers, CONTENT_DIGEST))

    def interim(self, report: Report) -> Mapping[str, str] | None:
        """The headers of `104 Upload Resumption Supported`: where to resume after a break.

        None for a request without a version, which must not get an interim response.
        """
        if self.version is None:
            return None
        limit = self._limit(_limits(report, self.lifetime))
        return {**self._spoken(), "Location": report.location, **limit}

    def created(self, report: Report) -> Reply:
        """The answer to a creation: where to continue."""
        return Reply(201, {"Location": report.location, **self._of(report)})

    def appended(self, report: Report) -> Reply:
        """The answer to an append: the new offset."""
        return Reply(self.appended_status, self._of(report))

    def state(self, report: Report) -> Reply:
        """The answer to HEAD: offset, length and expiry."""
        length = {}
        if self.lifetime and report.length is not None:
            length = {LENGTH: str(report.length)}
        return Reply(204, {**self._of(report), **length, "Cache-Control": "no-store"})

    def cancelled(self) -> Reply:
        """The answer to DELETE."""
        return Reply(204, self._spoken())

    def options(self, limits: Limits) -> Reply:
        """The answer to OPTIONS: the limits of an upload."""
        return Reply(204, {**self._spoken(), **self._limit(f"max-size={limits.max_size}")})

    def marks(self, report: Report | None, limits: Limits | None = None) -> Mapping[str, str]:
        """Headers of every other answer: whether the upload is complete."""
        limit = self._limit(f"max-size={limits.max_size}") if limits else {}
        if report is None:
            return {**self._completeness(complete=False), **limit, **self._spoken()}
        offset = {OFFSET: str(report.offset)}
        complete = self._completeness(complete=report.complete)
        return {**offset, **complete, **limit, **self._spoken()}

    @property
    def _field(self) -> str:
        return INCOMPLETE if self.inverted else COMPLETE

    def _is_complete(self, headers: CIMultiDictProxy[str]) -> bool | None:
        """Whether the content ends the file; None if the request does not say.

        The header may be sent twice, or be another version's, and still say that more follows. Such
        a header is not ignored: a part must not be taken for the whole file.
        """
        for name in (COMPLETE, INCOMPLETE):
            if len(headers.getall(name, ())) > 1:
                raise MalformedRequest(f"send one {name}")
        value = items.flag(headers, self._field)
        if self.inverted:
            other, more = COMPLETE, items.flag(headers, COMPLETE) is False
        else:
            other, more = INCOMPLETE, items.flag(headers, INCOMPLETE) is True
        if more and value is None:
            raise MalformedRequest(
                f"{other} belongs to another version than {VERSION} names: send {self._field}"
            )
        return value if value is None else value is not self.inverted

    def _completeness(self, *, complete: bool) -> dict[str, str]:
        return {self._field: items.written(value=complete is not self.inverted)}

    def _of(self, report: Report) -> dict[str, str]:
        limit = {} if report.complete else self._limit(_limits(report, self.lifetime))
        return {**self.marks(report), **limit}

    def _limit(self, value: str) -> dict[str, str]:
        return {"Upload-Limit": value} if self.lifetime else {}

    def _spoken(self) -> dict[str, str]:
        return {} if self.version is None else {VERSION: str(self.version)}


_SPOKEN: Final = {
    each.version: each
    for each in (
        Draft(3, inverted=True, typed=False, lifetime=None, appended_status=201),
        Draft(4, typed=False, lifetime=None, appended_status=201),
        Draft(5, typed=False, lifetime=None, appended_status=201),
        Draft(6, lifetime="expires", appended_status=201),
        Draft(7),
        Draft(8),
    )
}
UNVERSIONED: Final = Draft(None)
DRAFTS: Final = (*_SPOKEN.values(), UNVERSIONED)


def draft_of(headers: CIMultiDictProxy[str]) -> Draft:
    """The version that a request names; else the newest one's rules, without a version."""
    return _SPOKEN.get(items.size(headers, VERSION), UNVERSIONED)


def _limits(report: Report, lifetime: str | None) -> str:
    return f"max-size={report.limits.max_size}, {lifetime}={int(report.expires_in)}"


def _length(head: HeadLike, offset: int, *, complete: bool) -> int | None:
    """The file's length according to a request with content that begins at `offset`, or None."""
    told = items.size(head.headers, LENGTH)
    content = content_size(head)
    if content is None or not complete:
        return told
    end = offset + content
    if told is not None and told != end:
        raise _inconsistent(told, end)
    return end


def _checksum(headers: CIMultiDictProxy[str], *, complete: bool) -> Checksum | None:
    """What the content of a creation has to hash to; the representation only if it is whole.

    A Repr-Digest cannot be verified if the file comes in several requests: no hash of it can be
    continued by another process.
    """
    if not complete:
        return digest_in(headers, CONTENT_DIGEST)
    return next(iter(digests_of_whole(headers)), None)


def _inconsistent(length: int, end: int) -> InconsistentUploadLength:
    return InconsistentUploadLength(
        f"{LENGTH} is {length}, but the content of this request ends at {end}"
    )


def _name(headers: CIMultiDictProxy[str]) -> tuple[str | None, bool]:
    """The name in Content-Disposition, and whether a backslash in it belongs to the name."""
    values = headers.getall("Content-Disposition", ())
    if not values:
        return None, False
    read = parse_disposition(as_received(values[0]))
    doubts = read.ambiguities - _OF_FORMS - _USUAL
    if len(values) > 1 or doubts:
        raise MalformedRequest(
            "the Content-Disposition can be read in more than one way; send"
            " `inline; filename*=UTF-8''…` with the name in percent-encoding"
        )
    return read.filename, read.escaped
