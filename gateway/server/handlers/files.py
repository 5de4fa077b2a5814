"""Hosted files, under the URL that ChatKitty was given for them.

The URL must allow an appended `?grant=…`, which ChatKitty's SDKs add to every file's URL.
"""

import time
from base64 import b64encode
from contextlib import aclosing
from datetime import UTC
from typing import Final

from aiohttp import web

from gateway.choices import Serve
from gateway.errors import (
    ConditionFailed,
    HostedFileGone,
    HostedFileNotFound,
    ObjectNotFound,
    RangeNotSatisfiable,
    UploadNotFound,
)
from gateway.server.fields.hosts import files_location
from gateway.server.fields.ranges import ByteRange, Validators, Without, decide
from gateway.server.services import SERVICES, Services
from gateway.uploads import keys
from gateway.uploads.lifecycle import SERVED
from gateway.uploads.links import FileLink, link_of_token
from gateway.uploads.names import content_disposition
from gateway.uploads.record import File, Upload

_CLOCK_SLACK = 900
"""How far our clock may be behind the store's: the store accepts no larger difference."""

_CACHE_SECONDS = 240
"""How long a redirect may be reused: less than the URL that it leads to holds."""

_KEPT_SECONDS = 31_536_000

_PRESIGNED_SECONDS = _CLOCK_SLACK + _CACHE_SECONDS + 60

_INERT: Final = ("image/", "audio/", "video/", "text/plain", "application/pdf")
"""Types that a browser may display unless they are active; it downloads all others."""

_ACTIVE_TYPES: Final = (
    "text/html",
    "application/xhtml",
    "image/svg",
    "text/xml",
    "application/xml",
)
_ACTIVE_WORDS: Final = ("javascript", "ecmascript", "+xml", "script", "vbs")

_GUARD: Final = {
    "X-Content-Type-Options": "nosniff",
    # Pages of any origin may show what is in a chat.
    "Cross-Origin-Resource-Policy": "cross-origin",
    # The URL is all that is needed to read the file.
    "Referrer-Policy": "no-referrer",
}
_SANDBOX: Final = {"Content-Security-Policy": "sandbox; default-src 'none'"}


async def get_file(request: web.Request) -> web.StreamResponse:
    """`GET /gateway/files/{token}/{name}`: a redirect to the store, or the bytes.

    Types that a browser would run are always streamed, since only then can they be confined.
    """
    services = request.app[SERVICES]
    if (elsewhere := files_location(services.settings, request.host, request.path_qs)) is not None:
        return web.Response(status=308, headers={**_GUARD, "Location": elsewhere})
    link, upload = await _served_upload(services, request.match_info["token"])
    content_type = upload.file.content_type or "application/octet-stream"
    inert, active = is_inert(content_type), is_active(content_type)
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": content_disposition(
            "inline" if inert else "attachment", upload.file.name
        ),
        **_GUARD,
        **({} if inert else _SANDBOX),
    }
    key = keys.incoming(upload.id)
    redirects = services.settings.serve_files is Serve.REDIRECT and not active
    if redirects and request.method == "GET":
        return await _redirect(services, key, headers)
    size = upload.file.size
    if (digest := repr_digest(upload.file)) is not None:
        headers["Repr-Digest"] = digest
    headers["Accept-Ranges"] = "bytes"
    headers["Cache-Control"] = f"private, max-age={_seconds_left(link)}, immutable"
    wanted: ByteRange | Without = ByteRange(0, size, partial=False)
    # If a GET is redirected, the store sends its own validators and evaluates conditions.
    if not redirects:
        validators = validators_of(upload)
        headers |= {"ETag": validators.etag, "Last-Modified": validators.last_modified}
        wanted = decide(request.method, request.headers, validators, size)
    if isinstance(wanted, Without):
        return _without(wanted, headers, size)
    headers["Content-Length"] = str(wanted.length)
    if wanted.partial:
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.end - 1}/{size}"
    return await _stream(request, services, key, headers, wanted)


def validators_of(upload: Upload) -> Validators:
    """What identifies the content of a hosted file; it never changes. Pure."""
    stored = upload.history[0].at.astimezone(UTC).replace(microsecond=0)
    return Validators(f'"{upload.file.size:x}-{upload.file.crc32c or 0:08x}"', stored)


def repr_digest(file: File) -> str | None:
    """The digests that are known of a file, as `Repr-Digest` has them (RFC 9530). Pure."""
    known = {
        "sha-256": bytes.fromhex(file.sha256) if file.sha256 is not None else None,
        "crc32c": file.crc32c.to_bytes(4, "big") if file.crc32c is not None else None,
    }
    members = [f"{key}=:{b64encode(digest).decode()}:" for key, digest in known.items() if digest]
    return ", ".join(members) or None


def is_inert(content_type: str) -> bool:
    """Whether a browser may display a document of that type. Pure."""
    return content_type.lower().startswith(_INERT) and not is_active(content_type)


def is_active(content_type: str) -> bool:
    """Whether a browser would run scripts in a document of that type. Pure."""
    plain = content_type.lower()
    return plain.startswith(_ACTIVE_TYPES) or any(word in plain for word in _ACTIVE_WORDS)


async def _served_upload(services: Services, token: str) -> tuple[FileLink, Upload]:
    link = link_of_token(token, services.backends.ring, time.time())
    try:
        upload = await services.backends.ledger.find(link.upload_id) if link else None
    except UploadNotFound:
        upload = None
    if link is None or upload is None or upload.state not in SERVED or not upload.files:
        raise HostedFileNotFound("no such file")
    if upload.removed is not None:
        raise HostedFileGone("the file was removed")
    return link, upload


def _seconds_left(link: FileLink) -> int:
    """How long an answer may be kept: no longer than its URL works."""
    if link.expires is None:
        return _KEPT_SECONDS
    return max(0, min(_KEPT_SECONDS, int(link.expires - time.time())))


def _without(why: Without, headers: dict[str, str], size: int) -> web.Response:
    """The answer without content. Raises ConditionFailed, RangeNotSatisfiable."""
    if why is Without.FAILED:
        raise ConditionFailed(
            "the file does not meet the condition in If-Match or If-Unmodified-Since"
        )
    if why is Without.NOT_SATISFIABLE:
        raise RangeNotSatisfiable(
            f"the file has {size} bytes, none of them in the requested range", size
        )
    del headers["Content-Type"]
    return web.Response(status=why.value, headers=headers)


async def _redirect(services: Services, key: str, headers: dict[str, str]) -> web.Response:
    location = await services.backends.store.presigned_get(
        key,
        expires=_PRESIGNED_SECONDS,
        content_type=headers["Content-Type"],
        content_disposition=headers["Content-Disposition"],
    )
    caching = {"Location": location, "Cache-Control": f"private, max-age={_CACHE_SECONDS}"}
    return web.Response(status=302, headers={**_GUARD, **caching})


async def _stream(
    request: web.Request, services: Services, key: str, headers: dict[str, str], wanted: ByteRange
) -> web.StreamResponse:
    answer = web.StreamResponse(status=206 if wanted.partial else 200, headers=headers)
    try:
        if request.method == "HEAD":
            await services.backends.store.head(key)
            await answer.prepare(request)
            return answer
        async with aclosing(services.backends.store.stream(key, wanted.start, wanted.end)) as file:
            async for chunk in file:
                if not answer.prepared:
                    await answer.prepare(request)
                await answer.write(chunk)
    except ObjectNotFound:
        raise HostedFileNotFound("no such file") from None
    return answer
