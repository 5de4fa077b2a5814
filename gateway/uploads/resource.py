"""The upload as JSON members, for those who may know of it. Pure."""

from collections.abc import Mapping
from datetime import datetime

from gateway.uploads.record import File, Upload


def resource_of(upload: Upload) -> dict[str, object]:
    """The upload as JSON members; those without a value are left out."""
    return present(
        {
            "id": upload.id,
            "state": upload.state,
            "delivery": upload.delivery,
            "target": {"method": upload.target.method, "path": upload.target.path},
            "history": [
                {"state": change.state, "at": timestamp(change.at)} for change in upload.history
            ],
            "tokenUntil": timestamp(upload.token_until) if upload.token_until else None,
            "outlivedToken": upload.outlived_token or None,
            **_files(upload),
            "url": upload.url,
            "ambiguities": list(upload.ambiguities) or None,
            "result": {"status": upload.result.status} if upload.result else None,
            "removedAt": timestamp(upload.removed.at) if upload.removed else None,
            "removedFor": upload.removed.cause if upload.removed else None,
            "problem": (
                {"type": upload.fault.slug, "detail": upload.fault.detail} if upload.fault else None
            ),
        }
    )


def _files(upload: Upload) -> dict[str, object]:
    """The one file of nearly every upload, or the several that a relayed form may hold."""
    if len(upload.files) == 1:
        return {"file": _file(upload.file)}
    return {"files": [_file(file) for file in upload.files]}


def _file(file: File) -> dict[str, object]:
    digests = {
        "crc32c": f"{file.crc32c:08x}" if file.crc32c is not None else None,
        "sha256": file.sha256,
    }
    return present(
        {
            "name": file.name,
            "size": file.size,
            "contentType": file.content_type,
            "declaredContentType": file.declared_type,
            "digests": present(digests),
        }
    )


def present(members: Mapping[str, object]) -> dict[str, object]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def timestamp(at: datetime) -> str:
    """A time (UTC) as RFC 3339 has it, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
