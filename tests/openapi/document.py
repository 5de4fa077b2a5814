"""Makes `gateway/openapi.json`: what the gateway's own resources take and answer.

What the code knows by itself comes from there: states, problems, versions.
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from gateway.problems import PROBLEMS, REJECTION_STATUS
from gateway.resumable.dialects import tus
from gateway.uploads.record import State
from gateway.upstream.retry import is_retryable
from tests.openapi import operator_words, operators
from tests.openapi.parts import (
    ADMIN,
    ALWAYS,
    NO_TOKEN,
    PUBLIC,
    SAYS_SO,
    TOKEN,
    UNREAD,
    answer,
    faults,
    faults_at_admin,
    headers_of,
    named,
    with_head,
)
from tests.openapi.words import (
    BINARY,
    HEADERS,
    ID,
    JSON,
    PARAMETERS,
    SCHEMAS,
    TAGS,
    TEXT,
    ref,
)
from tests.test_problems_page import ANSWERS, ENDS, PAGE, titles

_TARGETS: Final = (
    ("channels/{channel}/messages", "ChannelMessage", "a message in a channel", 702),
    ("threads/{thread}/messages", "ThreadMessage", "a message in a thread", 1),
    ("users/{user}/display-picture", "DisplayPicture", "the display picture of a user", 1),
)

_CONTINUING: Final = (404, 409, 410, 412, 413, 415, 422, 460, 502, 504)
_COMPLETING: Final = (*ALWAYS, *TOKEN, *_CONTINUING)
_STANDING: Final = (
    *("Upload-Offset", "Upload-Complete", "Upload-Incomplete", "Upload-Limit"),
    *("Upload-Expires", "Tus-Resumable"),
)

_TARGET: Final = {"method": "POST", "path": "/v1/channels/702/messages"}
_HISTORY: Final = [
    {"state": "receiving", "at": "2026-01-02T03:04:05.006Z"},
    {"state": "stored", "at": "2026-01-02T03:04:05.106Z"},
    {"state": "inspected", "at": "2026-01-02T03:04:05.206Z"},
    {"state": "registered", "at": "2026-01-02T03:04:05.306Z"},
]
_FILE: Final = {
    "name": "cat.png",
    "size": 70,
    "contentType": "image/png",
    "declaredContentType": "image/png",
    "digests": {"crc32c": "8a9136aa"},
}
_URL: Final = "https://uploads.example.com/gateway/files/TOKEN/cat.png"
_KNOWN: Final = {"id": ID, "delivery": "external", "target": _TARGET}
_REGISTERED: Final = {
    **_KNOWN,
    "state": "registered",
    "history": _HISTORY,
    "file": _FILE,
    "url": _URL,
    "result": {"status": 200},
}
_ACCEPTED: Final = {
    **_KNOWN,
    "state": "stored",
    "history": _HISTORY[:2],
    "file": _FILE,
    "url": _URL,
}
_RECEIVING: Final = {
    **_KNOWN,
    "state": "receiving",
    "history": _HISTORY[:1],
    "files": [],
    "offset": 1024,
    "length": 70000,
    "expires": "2026-01-03T03:04:05.006Z",
}
_EVENTS: Final = (
    f"retry: 3000\n\nid: 4\nevent: state\ndata: {json.dumps(_REGISTERED)}\n\n"
    f"id: 4\nevent: end\ndata: {json.dumps({'id': ID, 'state': 'registered'})}\n\n"
)
_REFUSED: Final = "ChatKitty has refused the message"
_UNREAD: Final = {
    400: "The address for operators cannot parse the request",
    417: "The address for operators knows no other expectation than `100-continue`",
}
_ANY_OBJECT: Final = {"schema": {"type": "object"}}


def document() -> JSON:
    """The whole of it."""
    schemas, problems = copy.deepcopy(SCHEMAS), _problems()
    schemas["State"]["enum"] = [state.value for state in State]
    schemas["End"]["properties"]["type"]["enum"] = sorted(_ends())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ChatKitty upload gateway",
            "version": version("chatkitty-gateway"),
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            "description": "The gateway's own resources. Every other request is one to ChatKitty's API, which the gateway checks and passes on. Pages of the origins in GATEWAY_CORS_ORIGINS may read every answer, and every path answers their preflights.",
        },
        "servers": PUBLIC,
        "tags": TAGS,
        "security": [{"bearer": []}],
        "paths": {
            **_about_the_process(),
            **_page_to_try_uploads(),
            "/gateway/uploads": _list(),
            "/gateway/uploads/{id}": _upload(),
            "/gateway/uploads/{id}/events": _events_of_one(),
            "/gateway/events": _events_of_all(),
            "/gateway/files/{token}/{name}": _hosted_file(),
            **_beginnings(),
            **operators.paths(),
        },
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that one of GATEWAY_AUTH's verifiers accepts (docs/identity.md)",
                },
                **operators.SECURITY,
            },
            "parameters": {**PARAMETERS, **operator_words.PARAMETERS},
            "headers": HEADERS,
            "schemas": {**schemas, **operator_words.SCHEMAS},
            "responses": {**problems, **_refusals(problems), **_unread(problems)},
        },
    }


def rendered() -> str:
    """The file: a line for each operation, schema and so on."""
    return _lines(document(), 4) + "\n"


def _lines(value: Any, depth: int, indent: str = "") -> str:
    if not isinstance(value, dict) or depth == 0 or not value:
        return json.dumps(value, ensure_ascii=False)
    within = indent + " "
    members = (
        f"{within}{json.dumps(name)}: {_lines(each, depth - 1, within)}"
        for name, each in value.items()
    )
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


def _ends() -> dict[str, str]:
    """The state of each end of an upload that has a problem, from the page."""
    table = PAGE.read_text().partition(ENDS)[2].partition(ANSWERS)[0]
    return {
        slug: state
        for names, state in re.findall(r"(?m)^\| ((?:`[a-z-]+`(?:, )?)+) \| `(\w+)` \|", table)
        for slug in re.findall(r"`([a-z-]+)`", names)
    }


def _problems() -> JSON:
    """A response for each status, with the types of problems that have it."""
    types: dict[int, dict[str, str]] = {}
    registered = {kind.slug: kind.type for kind in PROBLEMS.values() if kind.registered}
    for (status, slug), texts in titles().items():
        types.setdefault(status, {})[slug] = "; ".join(texts)
    for slug, state in _ends().items():
        if state == "rejected":
            types[REJECTION_STATUS].setdefault(slug, "The file was rejected")
        elif state == "failed":
            types[502].setdefault(slug, "The upload could not be registered")
    return {
        f"Problem{status}": _problem(status, slugs, registered)
        for status, slugs in sorted(types.items())
    }


def _problem(status: int, slugs: Mapping[str, str], registered: Mapping[str, str]) -> JSON:
    names = sorted(slugs)
    uris = [registered.get(slug, f"urn:problem-type:chatkitty-gateway:{slug}") for slug in names]
    schema: JSON = {
        "allOf": [
            ref("schemas", "Problem"),
            {"properties": {"status": {"const": status}, "type": {"enum": uris}}},
        ]
    }
    headers: Sequence[str] = (*SAYS_SO, "Cache-Control")
    if status in _COMPLETING:
        headers = (*headers, "Upload-Id", *_STANDING)
    if status in (400, 401):
        headers = (*headers, "WWW-Authenticate")
    if status in (429, 503):
        headers = (*headers, "Retry-After")
    if status == 429:
        headers = (*headers, "RateLimit", "RateLimit-Policy")
    if status == 416:
        headers = (*headers, "Content-Range")
    if status == 412:
        headers = (*headers, "Tus-Version")
    if status == 405:
        headers = (*headers, "Allow")
    return {
        "description": "\n".join(f"- `{slug}`: {slugs[slug]}" for slug in names),
        "headers": headers_of(headers),
        "content": {"application/problem+json": {"schema": schema}},
    }


def _refusals(problems: JSON) -> JSON:
    """The problems of requests that complete an upload, each also as an answer of ChatKitty."""
    refusals = {}
    for status in filter(_may_be_a_refusal, _COMPLETING):
        refusal = copy.deepcopy(problems[f"Problem{status}"])
        refusal["description"] += f"\n- {_REFUSED}: its own answer"
        refusal["content"]["application/json"] = _ANY_OBJECT
        refusals[f"Refusal{status}"] = refusal
    return refusals


def _unread(problems: JSON) -> JSON:
    """The problems that the address for operators also answers in plain text."""
    found = {}
    for status in UNREAD:
        fault = copy.deepcopy(problems[f"Problem{status}"])
        fault["description"] += f"\n- {_UNREAD[status]}: plain text"
        fault["content"]["text/plain"] = {"schema": TEXT}
        found[f"Fault{status}"] = fault
    return found


def _may_be_a_refusal(status: int) -> bool:
    return 400 <= status < 500 and not is_retryable(status)


def _faults_of_completion(*more: int) -> JSON:
    """What a request may be answered that completes an upload, and does not succeed."""
    refusals = {
        str(status): ref("responses", f"Refusal{status}")
        for status in filter(_may_be_a_refusal, _COMPLETING)
    }
    others = answer(f"{_REFUSED} with another status: its own answer", **_ANY_OBJECT)
    return {**faults(*_COMPLETING, *more), **refusals, "4XX": others}


def _about_the_process() -> JSON:
    def get(name: str, tag: str, summary: str, responses: JSON, **more: Any) -> JSON:
        return with_head(
            {
                "operationId": name,
                "tags": [tag],
                "summary": summary,
                "security": NO_TOKEN,
                "responses": responses,
                **more,
            }
        )

    of_both = {**faults(*ALWAYS), **faults_at_admin()}
    both = [*PUBLIC, *ADMIN]
    unready = {
        "public": {"value": {"status": "unready"}},
        "operators": {"value": {"status": "unready", "faults": {"redis": "Connection refused"}}},
        "stopping": {"value": {"status": "draining"}},
    }
    state = ref("schemas", "Readiness")
    description = answer("This document", schema={"type": "object"})
    lives = answer("It does", schema=ref("schemas", "Health"), example={"status": "ok"})
    ready = answer("All parts work", schema=state, example={"status": "ready"})
    unavailable = answer(
        "A part is unavailable, or the gateway is about to stop. `faults` is in the answer to operators only.",
        "Retry-After",
        schema=state,
        examples=unready,
    )
    unavailable["content"]["application/problem+json"] = {"schema": ref("schemas", "Problem")}
    text = {"schema": {"type": "string"}}
    metrics = {
        "description": "The metrics, in the format that `Accept` asks for (docs/metrics.md)",
        "content": {"text/plain": text, "application/openmetrics-text": text},
    }
    return {
        "/gateway/openapi.json": get(
            "getDescription",
            "Health",
            "This document",
            {"200": description, **faults(*ALWAYS)},
            description="It is the same for every caller, and needs no token.",
        ),
        "/gateway/healthz": {
            "servers": both,
            **get("getHealth", "Health", "Whether the process lives", {**of_both, "200": lives}),
        },
        "/gateway/readyz": {
            "servers": both,
            **get(
                "getReadiness",
                "Health",
                "Whether the gateway can currently do everything",
                {**of_both, "200": ready, "503": unavailable},
            ),
        },
        "/metrics": {
            "servers": ADMIN,
            **get(
                "getMetrics",
                "Operators",
                "The metrics of all processes that share the port",
                {"200": metrics, **faults_at_admin()},
            ),
        },
    }


def _page_to_try_uploads() -> JSON:
    note = "Only if GATEWAY_TRY_PAGE is true (docs/try.md). It needs no token."
    page = {
        "description": "The page",
        "headers": headers_of((*SAYS_SO, "Cache-Control")),
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
    route = answer(
        "How an upload to the path would be delivered",
        "Cache-Control",
        schema=ref("schemas", "TriedRoute"),
        example={"delivery": "external", "maxFileSize": 104857600},
    )

    def get(name: str, summary: str, responses: JSON, **more: Any) -> JSON:
        return with_head(
            {
                "operationId": name,
                "tags": ["Trying uploads"],
                "summary": summary,
                "description": note,
                "security": NO_TOKEN,
                "responses": {**responses, **faults(*ALWAYS, 404)},
                **more,
            }
        )

    return {
        "/gateway/try": get("getTryPage", "A page to try uploads with", {"200": page}),
        "/gateway/try/route": get(
            "getTriedRoute",
            "How an upload to a path would be delivered",
            {"200": route},
            parameters=named("TriedPath", "LeftProcess"),
        ),
    }


def _list() -> JSON:
    page = {"uploads": [_REGISTERED], "next": f"/gateway/uploads?before={ID}"}
    return with_head(
        {
            "operationId": "listUploads",
            "tags": ["Uploads"],
            "summary": "The caller's own uploads, the newest first",
            "parameters": named("State", "Size", "Before"),
            "responses": {
                "200": answer(
                    "A page. It may have fewer uploads than `size`, and even none, and still have a `next`.",
                    schema=ref("schemas", "UploadList"),
                    example=page,
                ),
                **faults(*ALWAYS, *TOKEN),
            },
        }
    )


def _complete() -> JSON:
    """The answers to the request that completes an upload."""
    message = {"id": 2, "type": "FILE", "file": {"type": "EXTERNAL", "url": _URL}}
    marks = ("Upload-Id", *_STANDING, "Preference-Applied", "Cache-Control")
    registered = answer(
        "The upload is complete, and registered: ChatKitty's own answer. By tus with `Prefer: wait=N`, also the upload if its file was rejected.",
        *marks,
        schema={"type": "object"},
        example=message,
    )
    registered["content"]["application/vnd.chatkitty+json"] = {"schema": {"type": "object"}}
    accepted = answer(
        "The upload is complete, and accepted. `Location` is the upload, which says what becomes of it.",
        *marks,
        "Location",
        schema=ref("schemas", "Upload"),
        example=_ACCEPTED,
    )
    return {"200": registered, "202": accepted}


def _events_of_one() -> JSON:
    return {
        "parameters": named("UploadId"),
        "get": {
            "operationId": "streamUpload",
            "tags": ["Uploads"],
            "summary": "Each state of an upload until it has ended, as server-sent events",
            "parameters": named("LastEventId"),
            "responses": {
                "200": _stream(),
                "204": answer("The upload has ended, and the client has its last event"),
                **faults(*ALWAYS, *TOKEN, 404),
            },
        },
    }


def _events_of_all() -> JSON:
    return {
        "get": {
            "operationId": "streamUploads",
            "tags": ["Uploads"],
            "summary": "The states of all uploads of the caller, as server-sent events",
            "parameters": named("LastEventId"),
            "responses": {"200": _stream(), **faults(*ALWAYS, *TOKEN)},
        }
    }


def _stream() -> JSON:
    found = answer("Events of the kinds `state` and `end`, as docs/events.md says", "Cache-Control")
    # No schema: before OpenAPI 3.2, readers disagree whether it is of the stream or of each event.
    return {**found, "content": {"text/event-stream": {"example": _EVENTS}}}


def _upload() -> JSON:
    kept = answer(
        "The bytes are kept. By tus, also if the upload is complete.", "Upload-Id", *_STANDING
    )
    more_to_come = answer(
        "The bytes are kept, and more are to come: versions 3 to 6 of the draft",
        "Upload-Id",
        *_STANDING,
    )
    dialects = named("TusResumableOptional", "DraftVersion")
    get = {
        "operationId": "getUpload",
        "tags": ["Uploads"],
        "summary": "One upload of the caller",
        "description": "An upload of another subject reads as if it did not exist. With `If-None-Match` and `Prefer: wait=N`, the answer comes when the upload has another `ETag`, or after N seconds. While more of an upload is to come, `offset`, `length` and `expires` say how far it is, and the headers say it in the dialect of the request.",
        "parameters": [*dialects, *named("IfNoneMatch", "Prefer")],
        "responses": {
            "200": answer(
                "The upload",
                "Upload-Id",
                "Cache-Control",
                "ETag",
                "Preference-Applied",
                *_STANDING,
                "Upload-Length",
                "Upload-Defer-Length",
                "Upload-Metadata",
                schema=ref("schemas", "Upload"),
                examples={"ended": {"value": _REGISTERED}, "receiving": {"value": _RECEIVING}},
            ),
            "304": answer(
                "The client has this version of the upload",
                *("Upload-Id", "Cache-Control", "ETag", "Preference-Applied"),
            ),
            **faults(*ALWAYS, *TOKEN, 404, 412),
        },
    }
    head = {
        "operationId": "headUpload",
        "tags": ["Continuing uploads"],
        "summary": "How far an upload is",
        "description": "A client continues an upload from `Upload-Offset`. A relayed upload, which cannot be continued, is answered as by GET.",
        "parameters": dialects,
        "responses": {
            "200": answer(
                "How far it is, by tus; or the upload was relayed",
                *("Upload-Id", "Cache-Control"),
                *_STANDING,
                "Upload-Length",
                "Upload-Defer-Length",
                "Upload-Metadata",
            ),
            "204": answer(
                "How far it is, by the draft",
                *("Upload-Id", "Cache-Control", *_STANDING, "Upload-Length"),
            ),
            **faults(*ALWAYS, *TOKEN, 404, 409, 410, 412, 422),
        },
    }
    patch = {
        "operationId": "continueUpload",
        "tags": ["Continuing uploads"],
        "summary": "More of the file, from the offset on that the request names",
        "description": "By tus with `Tus-Resumable`, otherwise by the IETF draft. Every byte that came counts, also if the connection breaks.",
        "parameters": [
            *dialects,
            *named("UploadOffset", "UploadComplete", "UploadLength", "UploadChecksum"),
            *named("ContentDigest", "Prefer"),
        ],
        "requestBody": {
            "required": True,
            "content": {"application/partial-upload": BINARY, tus.CONTENT: BINARY},
        },
        "responses": {
            **_complete(),
            "201": more_to_come,
            "204": kept,
            **_faults_of_completion(),
        },
    }
    delete = {
        "operationId": "deleteUpload",
        "tags": ["Uploads"],
        "summary": "Cancel an upload that is not complete, or remove its file",
        "description": "Files are removed only if GATEWAY_DELETE_FILES is on.",
        "parameters": dialects,
        "responses": {
            "202": answer(
                "Workers will remove the file",
                "Upload-Id",
                "Location",
                schema=ref("schemas", "Upload"),
                example=_REGISTERED,
            ),
            "204": answer(
                "The upload was cancelled, or its file is gone already", "Upload-Id", *_STANDING
            ),
            **faults(*ALWAYS, *TOKEN, 404, 405, 409, 410, 412, 422),
        },
    }
    post = {
        "operationId": "overrideUpload",
        "tags": ["Continuing uploads"],
        "summary": "PATCH or DELETE, for tus clients that cannot send these methods",
        "parameters": named(
            *("MethodOverride", "TusResumable", "UploadOffset", "UploadLength"),
            *("UploadChecksum", "ContentDigest", "Prefer"),
        ),
        "requestBody": {"content": {tus.CONTENT: BINARY}},
        "responses": {
            "200": _complete()["200"],
            "204": kept,
            **_faults_of_completion(405),
        },
    }
    return {
        "parameters": named("UploadId"),
        "get": get,
        "head": head,
        "patch": patch,
        "delete": delete,
        "post": post,
    }


def _hosted_file() -> JSON:
    content = {"*/*": BINARY}
    file = (
        "Repr-Digest",
        "ETag",
        "Last-Modified",
        "Accept-Ranges",
        "Content-Disposition",
        "Cache-Control",
    )
    return with_head(
        {
            "operationId": "getFile",
            "tags": ["Files"],
            "summary": "A hosted file",
            "description": "Its URL, which ChatKitty was given, is all that is needed to read it: the token in it is signed. `name` may be any.",
            "security": NO_TOKEN,
            "parameters": named("FileToken", "FileName", "Range", "IfNoneMatch"),
            "responses": {
                "200": {**answer("The file", *file), "content": content},
                "206": {
                    **answer("The range of bytes that was asked for", *file, "Content-Range"),
                    "content": content,
                },
                "302": answer(
                    "The file is at a URL of the store, which works for some minutes (GATEWAY_SERVE_FILES)",
                    "Location",
                    "Cache-Control",
                ),
                "304": answer("The client has the file already", *file),
                "308": answer(
                    "Files have a host name of their own (GATEWAY_FILES_URL)", "Location"
                ),
                **faults(*ALWAYS, 404, 410, 412, 416),
            },
        }
    )


def _beginnings() -> JSON:
    found: JSON = {}
    for path, kind, what, example in _TARGETS:
        (name,) = re.findall(r"{(\w+)}", path)
        number = {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "format": "int64", "minimum": 0},
            "example": example,
            "description": f"ChatKitty's id of the {name}",
        }
        found[f"/gateway/raw/v1/{path}"] = {"parameters": [number], **_raw(kind, what)}
        found[f"/gateway/tus/v1/{path}"] = {"parameters": [number], **_tus(kind, what)}
    return found


def _begun() -> JSON:
    return answer(
        "The upload is at `Location`. By tus, it may be complete already.",
        *("Upload-Id", "Location", *_STANDING),
    )


def _raw(kind: str, what: str) -> JSON:
    fields = [] if kind == "DisplayPicture" else ["GroupTag", "Username", "Properties"]

    def send(name: str) -> JSON:
        return {
            "operationId": name,
            "tags": ["Beginning uploads"],
            "summary": f"A file, or its first bytes, as the whole body: {what}",
            "description": "`Content-Type` is the type of the file, and `Content-Disposition` has its name. With `Upload-Complete: ?0`, more of it follows by PATCH.",
            "parameters": named(
                *("ContentDisposition", "IdempotencyKey", "Prefer", "DraftVersion"),
                *("UploadCompleteAtFirst", "UploadLengthOptional", "ContentDigest", "ReprDigest"),
                *fields,
            ),
            "requestBody": {"required": True, "content": {"*/*": BINARY}},
            "responses": {
                **_complete(),
                "201": _begun(),
                **_faults_of_completion(),
            },
        }

    return {
        "post": send(f"send{kind}"),
        "put": send(f"put{kind}"),
        "options": {
            "operationId": f"getLimitsOf{kind}",
            "tags": ["Beginning uploads"],
            "summary": f"How large a file may be: {what}",
            "security": NO_TOKEN,
            "responses": {
                "204": answer("What an upload may have", "Upload-Limit"),
                **faults(*ALWAYS, 404),
            },
        },
    }


def _tus(kind: str, what: str) -> JSON:
    return {
        "post": {
            "operationId": f"createTus{kind}",
            "tags": ["Beginning uploads"],
            "summary": f"An upload by tus: {what}",
            "description": "The first bytes may come with the creation.",
            "parameters": named(
                *("TusResumable", "UploadLengthOfCreation", "UploadDeferLength"),
                *("UploadMetadata", "UploadChecksum", "ContentDigest", "IdempotencyKey", "Prefer"),
            ),
            "requestBody": {"content": {tus.CONTENT: BINARY}},
            "responses": {
                "201": _begun(),
                **faults(*ALWAYS, *TOKEN, *_CONTINUING),
            },
        },
        "options": {
            "operationId": f"getTusLimitsOf{kind}",
            "tags": ["Beginning uploads"],
            "summary": f"What is supported of tus: {what}",
            "security": NO_TOKEN,
            "responses": {
                "204": answer(
                    "The version and the extensions of tus",
                    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size"),
                    "Tus-Checksum-Algorithm",
                ),
                **faults(*ALWAYS, 404),
            },
        },
    }
