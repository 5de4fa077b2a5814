"""What an operator's page does to uploads, one at a time, and why it would not."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from gateway.admin.bucket import Found, Session, checked_id, file_of
from gateway.admin.commands import FILE_GONE, end, resume, why_not_cancel, why_not_retry
from gateway.admin.deliveries import resend, why_not_resend
from gateway.errors import GatewayError, IllegalTransition
from gateway.records.bucket import Entry
from gateway.uploads import keys
from gateway.uploads.lifecycle import reopen
from gateway.uploads.record import State

_UNREADABLE: Final = "its record cannot be read"


class Action(StrEnum):
    """What is done to an upload."""

    RETRY = "retry"
    CANCEL = "cancel"
    RESEND = "resend"
    """The messages about it that were given up, to its webhooks."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one upload: what was done, or why nothing was."""

    upload_id: str
    done: bool
    text: str


async def why_not(session: Session, action: Action, found: Found, *, force: bool) -> str | None:
    """Why the action would be refused now; None if it would not. Raises StoreUnavailable."""
    if action is Action.CANCEL:
        return _why_not_cancel(found, force=force)
    if action is Action.RESEND:
        return await why_not_resend(session, found.upload_id)
    has_credentials = session.settings.upstream_client_id is not None
    reason = _why_not_retry(found, has_credentials=has_credentials)
    if reason is None and await file_of(session.store, found.upload_id) is None:
        return FILE_GONE
    return reason


async def act(session: Session, action: Action, upload_id: str, *, force: bool) -> Outcome:
    """Do it to one upload; whatever prevents it is in the outcome."""
    acts: Mapping[Action, Callable[[], Awaitable[str]]] = {
        Action.RETRY: lambda: resume(session, checked_id(upload_id)),
        Action.CANCEL: lambda: end(session, checked_id(upload_id), force=force),
        Action.RESEND: lambda: resend(session, checked_id(upload_id)),
    }
    try:
        return Outcome(upload_id, done=True, text=await acts[action]())
    except msgspec.MsgspecError:
        return Outcome(upload_id, done=False, text=_UNREADABLE)
    except GatewayError as error:
        return Outcome(upload_id, done=False, text=str(error))


def _why_not_retry(found: Found, *, has_credentials: bool) -> str | None:
    upload = found.upload
    if upload is None:
        return _UNREADABLE
    if upload.state is not State.FAILED:
        return f"it is {upload.state}, and has not failed"
    if reason := why_not_retry(upload, has_credentials=has_credentials):
        return reason
    try:
        reopen(upload, datetime.now(UTC))
    except IllegalTransition as error:
        return str(error)
    return None


def _why_not_cancel(found: Found, *, force: bool) -> str | None:
    if found.upload is None:
        forced = force and found.key.startswith(keys.SESSIONS)
        return None if forced else _UNREADABLE
    if found.offset is not None:
        complete = found.offset == found.length
        return "it is complete, and about to be accepted" if complete else None
    return why_not_cancel(Entry(found.upload, None, found.age), force=force)
