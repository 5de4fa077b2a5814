"""tus 1.0.0, with creation, expiration, termination and checksums. Pure. Source: tus.io."""

import hashlib
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Final

from multidict import CIMultiDictProxy

from gateway.errors import (
    InconsistentUploadLength,
    MalformedRequest,
    UnsupportedContentType,
    UnsupportedTusVersion,
)
from gateway.resumable.dialects.digests import CONTENT_DIGEST, digest_in
from gateway.resumable.dialects.metadata import read_metadata
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

RESUMABLE: Final = "Tus-Resumable"
VERSION: Final = "1.0.0"
CONTENT: Final = "application/offset+octet-stream"
ALGORITHMS: Final = ("sha1", "sha256")

_EXTENSIONS: Final = (
    "creation,creation-with-upload,creation-defer-length,expiration,termination,checksum"
)
_OFFSET: Final = "Upload-Offset"
_LENGTH: Final = "Upload-Length"
_DEFER: Final = "Upload-Defer-Length"
_CHECKSUM: Final = "Upload-Checksum"
_SPOKEN: Final = {RESUMABLE: VERSION}
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class Tus:
    """The only version of tus."""

    name: Final = "tus"

    def creation(self, head: HeadLike) -> Creation:
        """What a creation asks for.

        Raises MalformedRequest, UnsupportedContentType and InconsistentUploadLength.
        """
        headers = head.headers
        if "Upload-Concat" in headers:
            raise MalformedRequest("concatenation of uploads is not supported here")
        content = content_size(head)
        if content != 0:
            _check_type(headers)
        length = _length(headers, required=True)
        if length is not None and content is not None and content > length:
            raise InconsistentUploadLength(
                f"{_LENGTH} is {length}, but the request has {content} bytes"
            )
        metadata = read_metadata(headers)
        return Creation(
            length=length,
            complete=False,
            name=metadata.name,
            type=metadata.type,
            has_content=content != 0,
            escaped="\\" in (metadata.name or ""),
            fields=metadata.fields,
            metadata=metadata.written,
            checksum=_checksum(headers),
        )

    def append(self, head: HeadLike) -> Append:
        """What an append asks for. Raises MalformedRequest and UnsupportedContentType."""
        _check_type(head.headers)
        offset = _number(head.headers, _OFFSET)
        if offset is None:
            raise MalformedRequest(f"{_OFFSET} must be the number of bytes that were sent before")
        length = _length(head.headers, required=False)
        return Append(offset, complete=False, length=length, checksum=_checksum(head.headers))

    def interim(self, _: Report) -> None:
        """None: tus has no interim responses."""

    def created(self, report: Report) -> Reply:
        """The answer to a creation: where to continue."""
        return Reply(201, {"Location": report.location, **self._of(report)})

    def appended(self, report: Report) -> Reply:
        """The answer to an append: the new offset."""
        return Reply(204, self._of(report))

    def state(self, report: Report) -> Reply:
        """The answer to HEAD: offset, length, and the client's metadata."""
        length = {_DEFER: "1"} if report.length is None else {_LENGTH: str(report.length)}
        metadata = {} if report.metadata is None else {"Upload-Metadata": report.metadata}
        return Reply(200, {**self._of(report), **length, **metadata, "Cache-Control": "no-store"})

    def cancelled(self) -> Reply:
        """The answer to DELETE."""
        return Reply(204, _SPOKEN)

    def options(self, limits: Limits) -> Reply:
        """The answer to OPTIONS: version, extensions and limits."""
        return Reply(
            204,
            {
                **_SPOKEN,
                "Tus-Version": VERSION,
                "Tus-Extension": _EXTENSIONS,
                "Tus-Max-Size": str(limits.max_size),
                "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            },
        )

    def marks(self, report: Report | None, limits: Limits | None = None) -> Mapping[str, str]:
        """Headers of every other answer: the offset."""
        limit = {"Tus-Max-Size": str(limits.max_size)} if limits else {}
        offset = {_OFFSET: str(report.offset)} if report else {}
        return {**_SPOKEN, **offset, **limit}

    def _of(self, report: Report) -> dict[str, str]:
        if report.complete:
            return {**self.marks(report)}
        end = report.at + timedelta(seconds=report.expires_in)
        return {**self.marks(report), "Upload-Expires": format_datetime(end, usegmt=True)}


TUS: Final = Tus()


def check_version(headers: CIMultiDictProxy[str]) -> None:
    """Raises UnsupportedTusVersion unless the request names version 1.0.0."""
    if headers.getall(RESUMABLE, ()) != [VERSION]:
        raise UnsupportedTusVersion(f"send {RESUMABLE}: {VERSION}", VERSION)


def _check_type(headers: CIMultiDictProxy[str]) -> None:
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != CONTENT:
        raise UnsupportedContentType(f"send a part of an upload with the Content-Type {CONTENT}")


def _number(headers: CIMultiDictProxy[str], name: str) -> int | None:
    """The number of bytes in a header; None if there is none."""
    values = headers.getall(name, ())
    if not values:
        return None
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]):
        raise MalformedRequest(f"{name} must be one number of bytes")
    return int(values[0])


def _length(headers: CIMultiDictProxy[str], *, required: bool) -> int | None:
    """The file's length; None if it is not known yet. `required`: the request must say that."""
    length = _number(headers, _LENGTH)
    deferred = headers.getall(_DEFER, ())
    if deferred and (deferred != ["1"] or length is not None):
        raise MalformedRequest(f"send either {_LENGTH} or {_DEFER}: 1")
    if required and length is None and not deferred:
        raise MalformedRequest(f"send {_LENGTH}, or {_DEFER}: 1 if it is not known yet")
    return length


def _checksum(headers: CIMultiDictProxy[str]) -> Checksum | None:
    """The checksum of tus, or else the one that any request may have."""
    values = headers.getall(_CHECKSUM, ())
    if not values:
        return digest_in(headers, CONTENT_DIGEST)
    algorithm, _, encoded = values[0].partition(" ")
    if len(values) > 1 or algorithm not in ALGORITHMS:
        raise MalformedRequest(f"{_CHECKSUM} must be one of {', '.join(ALGORITHMS)}")
    try:
        digest = b64decode(encoded, validate=True)
    except (Error, ValueError):
        digest = b""
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise MalformedRequest(f"{_CHECKSUM} must be a {algorithm} in Base64")
    return Checksum(algorithm, digest)
