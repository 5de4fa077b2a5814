"""Uploads as the page shows them, and what it does to them."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
from aiohttp import hdrs, web

from gateway import kept
from gateway.admin import report
from gateway.admin.acting import Action, act, why_not
from gateway.admin.bucket import Found, NotDone, Session, checked_id, file_of, find
from gateway.admin.deliveries import messages_of
from gateway.admin.newest import Batch, Bound, newest
from gateway.errors import FormTooLarge, GatewayError, MalformedRequest, UploadNotFound
from gateway.records.bucket import BucketRecords
from gateway.server.pages.filters import Filter, NameOf, filter_of, subject_name
from gateway.server.services import SERVICES, Services
from gateway.settings.values import REQUEST_ID_MARK
from gateway.telemetry import get_logger
from gateway.terminal import Console
from gateway.uploads.record import Upload

log = get_logger(__name__)

_SHOWN: Final = Bound(rows=50, reads=400)
_MATCHED: Final = Bound(rows=200, reads=400)
_MOST_AT_ONCE: Final = 50
_NOT_SHOWN: Final = ("url",)
"""The URL of a hosted file lets its bearer read the file."""


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done to which uploads; `job` is what the page calls the whole of it."""

    action: Action
    ids: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=_MOST_AT_ONCE)]
    force: bool = False
    job: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[\w-]*$")] = ""


_decoder = msgspec.json.Decoder(_Order)


class Uploads:
    """The handlers of one process."""

    def __init__(self, app: web.Application) -> None:
        """`app` is the application that clients reach."""
        self._app = app

    async def list(self, request: web.Request) -> web.Response:
        """`GET uploads`: a page of those that match, the newest first."""
        wanted = filter_of(request.query, time.time())
        batch = await self._batch(wanted, _SHOWN)
        rows = [self._shown(each, report.members_of(each)) for each in batch.found]
        return web.json_response({"uploads": rows, "read": batch.read, "before": batch.before})

    async def show(self, request: web.Request) -> web.Response:
        """`GET uploads/{id}`: everything about one, and what would be refused."""
        session = self._session()
        upload_id = request.match_info["id"]
        try:
            found = await find(session.store, checked_id(upload_id))
        except NotDone as error:
            raise UploadNotFound(str(error)) from None
        file = await file_of(session.store, upload_id)
        members = self._shown(found, report.details_of(found, file, time.time()))
        refusals = {
            "retry": await why_not(session, Action.RETRY, found, force=False),
            "cancel": await why_not(session, Action.CANCEL, found, force=False),
            "forcedCancel": await why_not(session, Action.CANCEL, found, force=True),
            "resend": await why_not(session, Action.RESEND, found, force=False),
        }
        return web.json_response(
            {
                "upload": members,
                "traceId": _trace_id(found.upload),
                "logUrl": log_url(session.settings.log_url, found.upload),
                "messages": [each.members() for each in await messages_of(session, upload_id)],
                "hasWebhooks": bool(session.settings.endpoints),
                "refusals": refusals,
            }
        )

    async def match(self, request: web.Request) -> web.Response:
        """`GET matches`: the ids of those that match and would not be refused, changing nothing."""
        wanted = filter_of(request.query, time.time())
        action, force = _action_of(request)
        batch = await self._batch(wanted, _MATCHED)
        session = self._session()
        ids: list[str] = []
        refused: Counter[str] = Counter()
        for found in batch.found:
            reason = await why_not(session, action, found, force=force)
            if reason is None:
                ids.append(found.upload_id)
            else:
                refused[reason] += 1
        return web.json_response(
            {"ids": ids, "refused": refused, "read": batch.read, "before": batch.before}
        )

    async def act(self, request: web.Request) -> web.Response:
        """`POST actions`: do it to a few, one after the other, and log how many were done."""
        order = await _order_of(request)
        session = self._session()
        outcomes = [await act(session, order.action, each, force=order.force) for each in order.ids]
        done = sum(outcome.done for outcome in outcomes)
        log.warning(
            "admin.acted",
            action=order.action,
            asked=len(outcomes),
            done=done,
            force=order.force,
            job=order.job,
            client=request.remote,
        )
        return web.json_response(
            {
                "outcomes": [
                    {"id": each.upload_id, "done": each.done, "text": each.text}
                    for each in outcomes
                ]
            }
        )

    @property
    def _services(self) -> Services:
        return self._app[SERVICES]

    def _session(self) -> Session:
        backends = self._services.backends
        store = backends.store
        # Nothing is printed: the page has everything from the outcomes.
        return Session(
            backends.settings,
            store,
            BucketRecords(store, backends.outbox),
            backends.outbox,
            Console(),
        )

    async def _batch(self, wanted: Filter, bound: Bound) -> Batch:
        name = self._subject_name()
        return await newest(
            self._services.backends.store,
            wanted.query,
            lambda found: wanted.wants(found, name, self._route_of),
            bound,
            earlier_than=wanted.before,
        )

    def _subject_name(self) -> NameOf:
        backends = self._services.backends
        return subject_name(backends.ring, shown=backends.settings.admin_show_subjects)

    def _route_of(self, upload: Upload) -> str:
        try:
            return self._services.routes.match(upload.target.path).name
        except GatewayError:  # the routes have changed since
            return ""

    def _shown(self, found: Found, members: Mapping[str, object]) -> dict[str, object]:
        """The members that operators may see."""
        shown = {name: value for name, value in members.items() if name not in _NOT_SHOWN}
        if found.upload is not None:
            shown["subject"] = self._subject_name()(found.upload)
            shown["route"] = self._route_of(found.upload)
        return shown


def _action_of(request: web.Request) -> tuple[Action, bool]:
    try:
        action = Action(request.query.get("action", ""))
    except ValueError:
        raise MalformedRequest("`action` must be retry, cancel or resend") from None
    return action, request.query.get("force", "") == "true"


async def _order_of(request: web.Request) -> _Order:
    if request.content_type != "application/json" or hdrs.CONTENT_ENCODING in request.headers:
        raise MalformedRequest("an action is a JSON document, without a Content-Encoding")
    try:
        return kept.read(_decoder, await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise FormTooLarge(f"an action has at most {request.client_max_size:,} bytes") from error
    except msgspec.MsgspecError as error:
        raise MalformedRequest(f"the action cannot be read: {error}") from None


def log_url(template: str | None, upload: Upload | None) -> str | None:
    """Where the log system has the upload's request; its id may be what a client chose."""
    if template is None or upload is None or not upload.request_id:
        return None
    return template.replace(REQUEST_ID_MARK, quote(upload.request_id, safe=""))


def _trace_id(upload: Upload | None) -> str | None:
    """The id of the trace that workers continue (W3C Trace Context section 3.2)."""
    parts = upload.trace.get("traceparent", "").split("-") if upload is not None else []
    return parts[1] if len(parts) == 4 else None
