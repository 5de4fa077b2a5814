"""The parameters and schemas of the operator's page in the document."""

from typing import Any, Final

from gateway.admin.acting import Action
from gateway.admin.bucket import DEAD, UNREADABLE
from gateway.doctor.parts import Part
from gateway.server.pages.rates import sample_of
from gateway.uploads.record import State
from gateway.webhooks.progress import Over
from tests.openapi.words import JSON, MOMENT, TEXT, UUID, parameter, ref
from tests.openapi.words import SCHEMAS as PUBLIC_SCHEMAS

_RATES: Final = tuple(sample_of((), 0.0).counts)
_ALL: Final = "all"
_SECONDS: Final[JSON] = {"type": "string", "pattern": "^[0-9]{0,9}$"}
_ID_OR_NONE: Final[JSON] = {"type": "string", "pattern": f"^({UUID['pattern'][1:-1]})?$"}
_COUNT: Final[JSON] = {"type": "integer", "minimum": 0}
_FLAG: Final[JSON] = {"type": "boolean"}
_NUMBER: Final[JSON] = {"type": "number"}
_NULLABLE_NUMBER: Final[JSON] = {"type": ["number", "null"]}
_NULLABLE_TEXT: Final[JSON] = {"type": ["string", "null"]}
_POINTS: Final[JSON] = {"type": "array", "items": _NULLABLE_NUMBER}


def _of(members: JSON, *optional: str, **more: Any) -> JSON:
    """An object that has all of the members but the optional ones."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "required": required, "properties": members, **more}


def _said(schema: JSON, description: str) -> JSON:
    return {**schema, "description": description}


_STATES: Final = [state.value for state in State]
_BEFORE: Final = _said(
    {"type": ["string", "null"]}, "The `before` of the next page; null if nothing older can match"
)
_READ: Final = _said(_COUNT, "How many uploads were read to find these")
_SHOWN: Final[JSON] = {
    **{
        name: each for name, each in PUBLIC_SCHEMAS["Upload"]["properties"].items() if name != "url"
    },
    "state": {"type": "string", "enum": [*_STATES, DEAD, UNREADABLE]},
    "subject": _said(TEXT, "A digest of the subject, unless GATEWAY_ADMIN_SHOW_SUBJECTS is true"),
    "requestId": _said(TEXT, "The id of the request that began the upload"),
    "route": _said(TEXT, "The name of its route; empty if there is no such route any more"),
    "record": _said(
        _of({"key": TEXT, "age": {"type": "integer"}}),
        "The key of its record, and seconds since that was written",
    ),
}
_READABLE: Final = ["delivery", "target", "history", "subject", "requestId", "route"]
_CAN_BE_READ: Final[JSON] = {"anyOf": [{"required": _READABLE}, {"required": ["record"]}]}

SCHEMAS: Final[JSON] = {
    "Status": _of(
        {
            **PUBLIC_SCHEMAS["Readiness"]["properties"],
            "version": _said(TEXT, "The version of the gateway"),
            "at": _said(_NUMBER, "Now, in seconds since the epoch"),
            "breakerOpen": _said(
                {"type": ["boolean", "null"]}, "Whether requests to ChatKitty are paused"
            ),
            "backlog": {
                "type": ["array", "null"],
                "items": ref("schemas", "Waiting"),
                "description": "What waits, a member for each kind (Waiting)",
            },
            "sweeper": {
                **_of({"working": _FLAG, "age": _NULLABLE_NUMBER}),
                "type": ["object", "null"],
                "description": "Whether a sweeper works, and seconds since it last said so",
            },
            "lastSweep": _said(_NULLABLE_NUMBER, "When the last sweep ended, since the epoch"),
            "queued": {
                "type": ["object", "null"],
                "additionalProperties": _COUNT,
                "description": "Messages in each queue, as the last sweep found them",
            },
            "processes": {
                "type": ["array", "null"],
                "items": _of({"role": TEXT, "name": TEXT}),
                "description": "The running gateways and workers",
            },
            "sweepInterval": _said(_NUMBER, "GATEWAY_SWEEP_INTERVAL, in seconds"),
            "showsSubjects": _said(_FLAG, "GATEWAY_ADMIN_SHOW_SUBJECTS"),
        },
        "faults",
        description="The state of everything. What cannot be found out is null.",
    ),
    "Waiting": _of(
        {
            "kind": {"enum": ["pending", "sessions", "removals", "orphans", "dead"]},
            "count": _COUNT,
            "more": _said(_FLAG, "Whether there may be more: it was not counted further"),
            "oldest": _said(_NULLABLE_NUMBER, "When the oldest began, in seconds since the epoch"),
        }
    ),
    "Rates": _of(
        {
            "seconds": _said(_NUMBER, "The seconds that a point stands for"),
            "rates": _said(
                _of(dict.fromkeys(_RATES, _POINTS)),
                "The increase in each second: " + ", ".join(_RATES),
            ),
            "pending": _said(_POINTS, "Uploads that waited"),
            "phases": {
                "type": "object",
                "additionalProperties": _of({"p50": _POINTS, "p99": _POINTS}),
                "description": "Quantiles of the seconds of each phase, p50 and p99",
            },
        },
        description="Lines of the last hour, the oldest point first; null where nothing is known",
    ),
    "ListedUpload": {
        "type": "object",
        "description": "An upload as operators see it. `record` replaces its data if the record cannot be read.",
        "required": ["id", "state"],
        "properties": _SHOWN,
        **_CAN_BE_READ,
    },
    "ListedUploads": _of(
        {
            "uploads": {
                "type": "array",
                "maxItems": 50,
                "items": ref("schemas", "ListedUpload"),
            },
            "read": _READ,
            "before": _BEFORE,
        }
    ),
    "WholeUpload": {
        "type": "object",
        "description": "Everything about an upload",
        "required": ["id", "state", "record", "incoming"],
        "properties": {
            **_SHOWN,
            "attempt": _said(
                _of(
                    {"count": _COUNT, "firstAt": MOMENT, "nextAt": MOMENT, "unknown": _FLAG},
                    "nextAt",
                    "unknown",
                ),
                "How often registration was tried, and whether ChatKitty may have done it",
            ),
            "incoming": _said(
                _of({"present": _FLAG, "size": _COUNT}, "size"), "Its file in the bucket"
            ),
        },
    },
    "WebhookMessage": _of(
        {
            "type": _said(TEXT, "The kind of its event"),
            "givenUp": _FLAG,
            "readable": _FLAG,
            "endpoints": {
                "type": "array",
                "items": _of(
                    {
                        "name": TEXT,
                        "state": {"enum": ["waiting", *(over.value for over in Over)]},
                        "attempts": _COUNT,
                        "status": {"type": ["integer", "null"]},
                        "detail": TEXT,
                    }
                ),
                "description": "How far it is at each webhook",
            },
        },
        description="A message that waits for its webhooks, or was given up",
    ),
    "ExaminedUpload": _of(
        {
            "upload": ref("schemas", "WholeUpload"),
            "traceId": _NULLABLE_TEXT,
            "logUrl": _said(_NULLABLE_TEXT, "Where GATEWAY_LOG_URL has its request"),
            "messages": {"type": "array", "items": ref("schemas", "WebhookMessage")},
            "hasWebhooks": _said(_FLAG, "Whether the gateway has webhooks"),
            "refusals": _said(
                _of(dict.fromkeys(("retry", "cancel", "forcedCancel", "resend"), _NULLABLE_TEXT)),
                "Why each action would be refused; null if it would not",
            ),
        }
    ),
    "Matches": _of(
        {
            "ids": {
                "type": "array",
                "maxItems": 200,
                "items": UUID,
                "description": "The uploads for which the action would be done",
            },
            "refused": {
                "type": "object",
                "additionalProperties": _COUNT,
                "description": "How many others there are, by the reason",
            },
            "read": _READ,
            "before": _BEFORE,
        }
    ),
    "Order": _of(
        {
            "action": {"type": "string", "enum": [action.value for action in Action]},
            "ids": {"type": "array", "minItems": 1, "maxItems": 50, "items": TEXT},
            "force": {
                **_FLAG,
                "default": False,
                "description": "Cancel even if ChatKitty may have the message",
            },
            "job": {
                "type": "string",
                "maxLength": 64,
                "pattern": r"^[\w-]*$",
                "description": "A name for all requests of a job, for the log",
            },
        },
        *("force", "job"),
        additionalProperties=False,
    ),
    "Outcomes": _of(
        {
            "outcomes": {
                "type": "array",
                "items": _of(
                    {"id": TEXT, "done": _FLAG, "text": _said(TEXT, "What was done, or why not")}
                ),
                "description": "An outcome for each id, in their order: `id`, `done`, and `text`, which says what was done or why not",
            }
        }
    ),
    "Examination": _of(
        {
            "ok": _said(_FLAG, "Whether no part has a fault"),
            "parts": {
                "type": "object",
                "propertyNames": {"enum": [part.value for part in Part]},
                "additionalProperties": _of(
                    {
                        "ok": _FLAG,
                        "fault": _NULLABLE_TEXT,
                        "advice": {"type": "array", "items": TEXT},
                        "reached": TEXT,
                    },
                    "reached",
                ),
                "description": "What was found, by the part",
            },
            "let_in": _said({"type": "array", "items": TEXT}, "Facts that may be intended"),
        },
        description="What `doctor` found (docs/doctor.md)",
    ),
}


def _query(name: str, description: str, schema: JSON = TEXT, **more: Any) -> JSON:
    return parameter("query", name, description, schema, **more)


PARAMETERS: Final[JSON] = {
    "States": _query(
        "state",
        "Only uploads in one of these states, or all; without it, those that have not ended",
        {"type": "array", "items": {"type": "string", "enum": [*_STATES, DEAD, _ALL]}},
    ),
    "Newer": _query("newer", "Only uploads that began in the last N seconds", _SECONDS),
    "Older": _query("older", "Only uploads that began more than N seconds ago", _SECONDS),
    "Delivery": _query("delivery", "Only uploads with this delivery: relay or external"),
    "RouteName": _query("route", "Only uploads of this route"),
    "Subject": _query(
        "subject", "Only uploads of this subject, or of the subject with this digest"
    ),
    "ProblemType": _query("problem", "Only uploads with this problem"),
    "BeforeUpload": _query(
        "before", "An id: only older uploads; empty as if it were left out", _ID_OR_NONE
    ),
    "Action": _query(
        "action",
        "What would be done",
        {"type": "string", "enum": [action.value for action in Action]},
        required=True,
        example=Action.RETRY.value,
    ),
    "Force": _query(
        "force", "`true`: as if cancelled even if ChatKitty may have the message", example="true"
    ),
    "FetchSite": parameter(
        "header",
        "Sec-Fetch-Site",
        "What a browser says of the page that asks: only `same-origin` and `none` are accepted",
        {"type": "string", "enum": ["same-origin", "none"]},
    ),
}
