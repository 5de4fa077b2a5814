"""The part of the document about the operator's page: what the page asks the gateway for."""

from typing import Any, Final

from tests.openapi.parts import ADMIN, answer, faults_at_admin, named
from tests.openapi.words import ID, JSON, ref

TAG: Final = "The operator's page"
_MAY_CHANGE: Final = "It may change with the page."

SECURITY: Final[JSON] = {
    "operator": {
        "type": "http",
        "scheme": "bearer",
        "description": "GATEWAY_ADMIN_TOKEN, the token of the operator's page (docs/pages.md)",
    }
}

_FILTER: Final = (
    *("States", "Newer", "Older", "Delivery", "RouteName", "Subject", "ProblemType"),
    "BeforeUpload",
)
_HISTORY: Final = [
    {"state": "receiving", "at": "2026-01-02T03:04:05.006Z"},
    {"state": "stored", "at": "2026-01-02T03:04:05.106Z"},
    {"state": "inspected", "at": "2026-01-02T03:04:05.206Z"},
    {"state": "failed", "at": "2026-01-02T03:04:05.306Z"},
]
_LISTED: Final = {
    "id": ID,
    "state": "failed",
    "delivery": "external",
    "target": {"method": "POST", "path": "/v1/channels/702/messages"},
    "history": _HISTORY,
    "file": {"name": "cat.png", "size": 70, "contentType": "image/png", "digests": {}},
    "problem": {"type": "registration-failed", "detail": "ChatKitty refused the request"},
    "subject": "#1f0c6e3a",
    "requestId": "5b9d1c0e7f6a4f0bb1a2c3d4e5f60718",
    "route": "channel-messages",
}
_WHOLE: Final = {
    **_LISTED,
    "attempt": {"count": 3, "firstAt": "2026-01-02T03:04:05.250Z", "unknown": False},
    "record": {"key": f"records/{ID}", "age": 60},
    "incoming": {"present": True, "size": 70},
}
_EXAMINED: Final[JSON] = {
    "upload": _WHOLE,
    "traceId": None,
    "logUrl": None,
    "messages": [],
    "hasWebhooks": False,
    "refusals": {
        "retry": None,
        "cancel": "it is failed",
        "forcedCancel": "it is failed",
        "resend": "no message about it was given up",
    },
}
_ORDER: Final = {"action": "retry", "ids": [ID]}
_OUTCOMES: Final = {"outcomes": [{"id": ID, "done": True, "text": "resumed"}]}
_ALWAYS: Final = (401, 404, 421)


def paths() -> JSON:
    """The paths of the page that are not its files."""
    found = {
        "status": _read(
            "getStatus",
            "Whether the gateway is ready, what waits, and who works at it",
            answer("The state, also if the gateway is not ready", **_content("Status")),
        ),
        "rates": _read(
            "getRates",
            "What happened in the last hour, by the samples of this process",
            answer("The lines", **_content("Rates")),
        ),
        "uploads": _read(
            "findUploads",
            "Uploads that match a filter, the newest first",
            answer(
                "A page. It may have fewer uploads than fit, and even none, and still have a `before`.",
                **_content("ListedUploads", {"uploads": [_LISTED], "read": 1, "before": None}),
            ),
            503,
            parameters=named(*_FILTER),
        ),
        "uploads/{id}": {
            "parameters": named("UploadId"),
            **_read(
                "examineUpload",
                "Everything about an upload, and which actions would be refused",
                answer("The upload", **_content("ExaminedUpload", _EXAMINED)),
                503,
            ),
        },
        "matches": _read(
            "matchUploads",
            "The uploads that match a filter and for which an action would be done",
            answer(
                "A page of their ids. Nothing is changed.",
                **_content(
                    "Matches",
                    {
                        "ids": [ID],
                        "refused": {"its file is no longer in the bucket": 1},
                        "read": 2,
                        "before": None,
                    },
                ),
            ),
            503,
            parameters=named("Action", "Force", *_FILTER),
        ),
        "actions": _act(
            "actOnUploads",
            "Retry or cancel uploads, or send their messages to webhooks again",
            answer(
                "What became of each, also if nothing was done",
                **_content("Outcomes", _OUTCOMES),
            ),
            413,
            requestBody={
                "required": True,
                "content": {"application/json": _content("Order", _ORDER)},
            },
        ),
        "doctor": _act(
            "runDoctor",
            "Try every part of the installation, as `doctor` does",
            answer("What was found, also if a part has a fault", **_content("Examination")),
            503,
        ),
    }
    return {f"/gateway/admin/{path}": {"servers": ADMIN, **item} for path, item in found.items()}


def _content(schema: str, example: object = None) -> JSON:
    found: JSON = {"schema": ref("schemas", schema)}
    return found if example is None else {**found, "example": example}


def _read(name: str, summary: str, found: JSON, *statuses: int, **more: Any) -> JSON:
    return {"get": _operation(name, summary, found, *statuses, **more)}


def _act(name: str, summary: str, found: JSON, *statuses: int, **more: Any) -> JSON:
    asked = named("FetchSite")
    return {"post": _operation(name, summary, found, 403, *statuses, parameters=asked, **more)}


def _operation(name: str, summary: str, found: JSON, *statuses: int, **more: Any) -> JSON:
    uncached = {**found["headers"], "Cache-Control": ref("headers", "Cache-Control")}
    return {
        "operationId": name,
        "tags": [TAG],
        "summary": summary,
        "description": _MAY_CHANGE,
        "security": [{"operator": []}],
        "responses": {
            "200": {**found, "headers": uncached},
            **faults_at_admin(*_ALWAYS, *statuses),
        },
        **more,
    }
