"""The IETF's resumable uploads, in each version that clients speak. Pure.

Source: draft-ietf-httpbis-resumable-upload-01 (interop version 3) to -11 and what follows (8).
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
from gateway.resumable.protocol import (
    Append,
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
"""What is missing in a Content-Disposition that is none of a form's part."""
_USUAL: Final = frozenset({Ambiguity.PARAMETER_EXTENDED})


@dataclass(frozen=True, slots=True)
class Draft:
    """One version of the draft; `version` is None for requests that name none that is spoken here.

    `lifetime` is the key in Upload-Limit of how long an upload is kept, None before there was that
    field. `appended_status` is the answer to an append after which more is to come.
    """

    version: int | None
    inverted: bool = False
    typed: bool = True
    lifetime: str | None = "max-age"
    appended_status: int = 204

    @property
    def name(self) -> str:
        """`draft-8`, or `draft` without a version."""
        return "draft" if self.version is None else f"draft-{self.version}"

    def creation(self, head: HeadLike) -> Creation:
        """What the request says; without the draft's fields it brings the whole file.

        Raises MalformedRequest, and InconsistentUploadLength.
        """
        complete = self._is_complete(head.headers) is not False
        if items.size(head.headers, OFFSET):
            raise MalformedRequest(
                f"{OFFSET} says that earlier parts were sent: send them here too"
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
        )

    def append(self, head: HeadLike) -> Append:
        """What the request says.

        Raises MalformedRequest, UnsupportedContentType and InconsistentUploadLength.
        """
        kind = head.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.typed and kind != PARTIAL:
            raise UnsupportedContentType(f"send a part of an upload as {PARTIAL}")
        offset = items.size(head.headers, OFFSET)
        if offset is None:
            raise MalformedRequest(f"{OFFSET} has to be the number of bytes that were sent before")
        complete = self._is_complete(head.headers)
        if complete is None:
            raise MalformedRequest(f"{self._field} has to say whether more parts follow")
        return Append(offset, complete, _length(head, offset, complete=complete))

    def interim(self, report: Report) -> Mapping[str, str] | None:
        """Where to go on if the connection breaks, for `104 Upload Resumption Supported`.

        None for a request without a version, which must not be answered so.
        """
        if self.version is None:
            return None
        limit = self._limit(_limits(report, self.lifetime))
        return {**self._spoken(), "Location": report.location, **limit}

    def created(self, report: Report) -> Reply:
        """Where to go on."""
        return Reply(201, {"Location": report.location, **self._of(report)})

    def appended(self, report: Report) -> Reply:
        """How far the upload is."""
        return Reply(self.appended_status, self._of(report))

    def state(self, report: Report) -> Reply:
        """How far the upload is, and how long."""
        length = {}
        if self.lifetime and report.length is not None:
            length = {LENGTH: str(report.length)}
        return Reply(204, {**self._of(report), **length, "Cache-Control": "no-store"})

    def cancelled(self) -> Reply:
        """That the upload is gone."""
        return Reply(204, self._spoken())

    def options(self, limits: Limits) -> Reply:
        """What an upload may have."""
        return Reply(204, {**self._spoken(), **self._limit(f"max-size={limits.max_size}")})

    def marks(self, report: Report | None, limits: Limits | None = None) -> Mapping[str, str]:
        """Whether the upload is complete, and so of what this is the answer."""
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

        Two lines, or the other versions' field, may say that it does not, and are not ignored: a
        part must not be taken for the whole.
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
            raise MalformedRequest(f"{other} is not of the version in {VERSION}: {self._field} is")
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
    """The version that a request speaks; the newest rules if it is none that is spoken here."""
    return _SPOKEN.get(items.size(headers, VERSION), UNVERSIONED)


def _limits(report: Report, lifetime: str | None) -> str:
    return f"max-size={report.limits.max_size}, {lifetime}={int(report.expires_in)}"


def _length(head: HeadLike, offset: int, *, complete: bool) -> int | None:
    """The file's length by a request whose content begins at `offset`, None if it says none."""
    told = items.size(head.headers, LENGTH)
    content = content_size(head)
    if content is None or not complete:
        return told
    end = offset + content
    if told is not None and told != end:
        raise _inconsistent(told, end)
    return end


def _inconsistent(length: int, end: int) -> InconsistentUploadLength:
    return InconsistentUploadLength(
        f"{LENGTH} is {length}, but the content of this request ends at {end}"
    )


def _name(headers: CIMultiDictProxy[str]) -> tuple[str | None, bool]:
    """The name in Content-Disposition, and whether a backslash in it is no path's."""
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
