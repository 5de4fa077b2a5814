"""Uploads as operators read them: JSON members for programs, lines for people. Pure.

They never contain an authorization or a byte of a file.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.admin.bucket import Found, Orphan
from gateway.store.objects import ObjectInfo
from gateway.uploads.ids import created_at
from gateway.uploads.record import Attempt, State
from gateway.uploads.resource import present, resource_of, timestamp

_COLUMNS: Final = "{:36}  {:10}  {:8}  {:>5}  {:>21}  {:>5}  {:20}  {}"
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))

HEADINGS: Final = _COLUMNS.format(
    "ID", "STATE", "DELIVERY", "AGE", "BYTES", "TRIES", "PROBLEM", "SUBJECT"
)

NO_UPLOADS: Final = "no uploads match"
NONE_PENDING: Final = "no pending uploads match: --all also lists those that have ended"

NO_ORPHANS: Final = "there are no files without a record"
NONE_ACCEPTED: Final = "no file without a record is known to have been accepted"

_ORPHAN: Final = "{:36}  {:>5}  {:>5}  {:>12}  {:8}  {:8}  {:24}  {}"
ORPHAN_HEADINGS: Final = _ORPHAN.format(
    "ID", "AGE", "LEFT", "BYTES", "ACCEPTED", "COPY", "SUBJECT", "TARGET"
)


def members_of(found: Found) -> dict[str, object]:
    """The upload resource with its subject; fewer members if the record cannot be read."""
    upload = found.upload
    if upload is None:
        return {"id": found.upload_id, "state": found.state, "record": _record(found)}
    return {
        **resource_of(upload),
        **present({"offset": found.offset, "length": found.length}),
        "subject": upload.subject,
        "requestId": upload.request_id,
    }


def details_of(found: Found, file: ObjectInfo | None, now: float) -> dict[str, object]:
    """Everything about one upload; `file` is its object in the bucket.

    `now` is in seconds since the epoch.
    """
    attempt = found.upload.attempt if found.upload is not None else None
    incoming = {"present": file is not None, "size": file.size if file is not None else None}
    return members_of(found) | present(
        {
            "attempt": _attempt(attempt, found, now) if attempt is not None else None,
            "record": _record(found),
            "incoming": present(incoming),
        }
    )


def orphan_members(orphan: Orphan) -> dict[str, object]:
    """A complete file without a record, with the data of its record's copy."""
    spare = orphan.spare
    members = resource_of(spare) | {"subject": spare.subject} if spare is not None else {}
    return {
        **members,
        "id": orphan.upload_id,
        "size": orphan.file.size,
        "accepted": "yes" if orphan.was_accepted else "unknown",
        "hasCopy": spare is not None,
        **present({"removedIn": round(orphan.left) if orphan.left is not None else None}),
    }


def orphan_line(orphan: Orphan, now: float) -> str:
    """The same in one line of a table; `now` is in seconds since the epoch."""
    copy, subject, target = "none", "", ""
    if orphan.spare is not None:
        copy, subject = "readable", orphan.spare.subject
        target = f"{orphan.spare.target.method} {orphan.spare.target.path}"
    line = _ORPHAN.format(
        orphan.upload_id,
        _duration(now - created_at(orphan.upload_id)),
        _duration(orphan.left) if orphan.left is not None else "",
        orphan.file.size,
        "yes" if orphan.was_accepted else "unknown",
        copy,
        subject,
        target,
    )
    return harmless(line.rstrip())


def line_of(found: Found, now: float) -> str:
    """The upload in one line of a table; `now` is in seconds since the epoch."""
    age = _duration(now - created_at(found.upload_id))
    upload = found.upload
    if upload is None:
        return _COLUMNS.format(found.upload_id, found.state, "", age, "", "", "", "").rstrip()
    tries = upload.attempt.count if upload.attempt is not None else 0
    problem = upload.fault.slug if upload.fault is not None else ""
    line = _COLUMNS.format(
        upload.id, upload.state, upload.delivery, age, _size(found), tries, problem, upload.subject
    )
    return harmless(line)


def _size(found: Found) -> str:
    if found.offset is None:
        return str(found.size)
    return f"{found.offset}/{found.length if found.length is not None else '?'}"


def lines_of(members: Mapping[str, object]) -> Iterator[str]:
    """One member per line, nested members indented."""
    for name, value in members.items():
        yield from _indented(f"{name}:", value)


def harmless(text: str) -> str:
    """The text without control sequences for terminals: names come from clients."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _indented(title: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield title
        for line in lines_of(value):
            yield f"  {line}"
    elif isinstance(value, list):
        yield title
        for each in value:
            plain = " ".join(map(str, each.values())) if isinstance(each, Mapping) else each
            yield harmless(f"  - {plain}")
    else:
        yield harmless(f"{title} {value}")


def _record(found: Found) -> dict[str, object]:
    return {"key": found.key, "age": round(found.age)}


def _attempt(attempt: Attempt, found: Found, now: float) -> dict[str, object]:
    known = found.state == State.REGISTERED  # a later attempt has shown what became of it
    waits = found.state == State.INSPECTED and attempt.pause > found.age
    next_at = datetime.fromtimestamp(now + attempt.pause - found.age, UTC)
    return present(
        {
            "count": attempt.count,
            "firstAt": timestamp(attempt.first_at),
            "nextAt": timestamp(next_at) if waits else None,
            "unknown": None if known else attempt.unknown,
        }
    )


def _duration(seconds: float) -> str:
    """The duration, in the largest unit that gives at least 2."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
