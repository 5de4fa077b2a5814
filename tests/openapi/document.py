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
from tests.openapi.words import (
    BINARY,
    HEADERS,
    ID,
    JSON,
    PARAMETERS,
    SCHEMAS,
    TAGS,
    ref,
)
from tests.test_problems_page import ANSWERS, ENDS, PAGE, titles

_PUBLIC: Final = [{"url": "/", "description": "The address that clients use"}]
_ADMIN: Final = [
    {
        "url": "http://127.0.0.1:8081",
        "description": "The address for operators (GATEWAY_ADMIN_PORT)",
    }
]
_NO_TOKEN: Final[list[JSON]] = []
_TARGETS: Final = (
    ("channels/{channel}/messages", "ChannelMessage", "a message in a channel", 702),
    ("threads/{thread}/messages", "ThreadMessage", "a message in a thread", 1),
    ("users/{user}/display-picture", "DisplayPicture", "the display picture of a user", 1),
)

_ALWAYS: Final = (400, 408, 417, 431, 500, 503)
_TOKEN: Final = (401, 403, 429)
_CONTINUING: Final = (404, 409, 410, 412, 413, 415, 422, 460, 502, 504)
_COMPLETING: Final = (*_ALWAYS, *_TOKEN, *_CONTINUING)
_SAYS_SO: Final = ("X-Request-Id",)
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
        "servers": _PUBLIC,
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
        },
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that one of GATEWAY_AUTH's verifiers accepts (docs/identity.md)",
                }
            },
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "schemas": schemas,
            "responses": {**problems, **_refusals(problems)},
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
    headers: Sequence[str] = _SAYS_SO
    if status == 401:
        headers = (*headers, "WWW-Authenticate")
    if status in (429, 503):
        headers = (*headers, "Retry-After")
    if status == 429:
        headers = (*headers, "RateLimit", "RateLimit-Policy")
    if status == 405:
        headers = (*headers, "Allow")
    return {
        "description": "\n".join(f"- `{slug}`: {slugs[slug]}" for slug in names),
        "headers": _headers(headers),
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


def _may_be_a_refusal(status: int) -> bool:
    return 400 <= status < 500 and not is_retryable(status)


def _headers(names: Sequence[str]) -> JSON:
    return {name: ref("headers", name) for name in names}


def _faults(*statuses: int) -> JSON:
    return {str(status): ref("responses", f"Problem{status}") for status in sorted(set(statuses))}


def _faults_of_completion(*more: int) -> JSON:
    """What a request may be answered that completes an upload, and does not succeed."""
    refusals = {
        str(status): ref("responses", f"Refusal{status}")
        for status in filter(_may_be_a_refusal, _COMPLETING)
    }
    others = _answer(f"{_REFUSED} with another status: its own answer", **_ANY_OBJECT)
    return {**_faults(*_COMPLETING, *more), **refusals, "4XX": others}


def _answer(description: str, *headers: str, **content: Any) -> JSON:
    found: JSON = {"description": description, "headers": _headers((*_SAYS_SO, *headers))}
    if content:
        found["content"] = {"application/json": content}
    return found


def _named(*names: str) -> list[JSON]:
    return [ref("parameters", name) for name in names]


def _with_head(get: JSON) -> JSON:
    """The operation, and the same for the headers alone."""
    head = copy.deepcopy(get)
    head["operationId"] += "Head"
    head["summary"] += ": the headers alone"
    head.pop("description", None)
    for response in head["responses"].values():
        response.pop("content", None)
    return {"get": get, "head": head}


def _about_the_process() -> JSON:
    def get(name: str, tag: str, summary: str, responses: JSON, **more: Any) -> JSON:
        faults = _faults(*(status for status in _ALWAYS if str(status) not in responses))
        return _with_head(
            {
                "operationId": name,
                "tags": [tag],
                "summary": summary,
                "security": _NO_TOKEN,
                "responses": {**responses, **faults},
                **more,
            }
        )

    both = [*_PUBLIC, *_ADMIN]
    unready = {
        "public": {"value": {"status": "unready"}},
        "operators": {"value": {"status": "unready", "faults": {"redis": "Connection refused"}}},
        "stopping": {"value": {"status": "draining"}},
    }
    state = ref("schemas", "Readiness")
    description = _answer("This document", schema={"type": "object"})
    lives = _answer("It does", schema=ref("schemas", "Health"), example={"status": "ok"})
    ready = _answer("All parts work", schema=state, example={"status": "ready"})
    unavailable = _answer(
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
            {"200": description},
            description="It is the same for every caller, and needs no token.",
        ),
        "/gateway/healthz": {
            "servers": both,
            **get("getHealth", "Health", "Whether the process lives", {"200": lives}),
        },
        "/gateway/readyz": {
            "servers": both,
            **get(
                "getReadiness",
                "Health",
                "Whether the gateway can currently do everything",
                {"200": ready, "503": unavailable},
            ),
        },
        "/metrics": {
            "servers": _ADMIN,
            **get(
                "getMetrics",
                "Operators",
                "The metrics of all processes that share the port",
                {"200": metrics},
            ),
        },
    }


def _page_to_try_uploads() -> JSON:
    note = "Only if GATEWAY_TRY_PAGE is true (docs/try.md). It needs no token."
    page = {
        "description": "The page",
        "headers": _headers(_SAYS_SO),
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
    route = _answer(
        "How an upload to the path would be delivered",
        schema=ref("schemas", "TriedRoute"),
        example={"delivery": "external", "maxFileSize": 104857600},
    )

    def get(name: str, summary: str, responses: JSON, **more: Any) -> JSON:
        return _with_head(
            {
                "operationId": name,
                "tags": ["Trying uploads"],
                "summary": summary,
                "description": note,
                "security": _NO_TOKEN,
                "responses": {**responses, **_faults(*_ALWAYS, 404)},
                **more,
            }
        )

    return {
        "/gateway/try": get("getTryPage", "A page to try uploads with", {"200": page}),
        "/gateway/try/route": get(
            "getTriedRoute",
            "How an upload to a path would be delivered",
            {"200": route},
            parameters=_named("TriedPath", "LeftProcess"),
        ),
    }


def _list() -> JSON:
    page = {"uploads": [_REGISTERED], "next": f"/gateway/uploads?before={ID}"}
    return _with_head(
        {
            "operationId": "listUploads",
            "tags": ["Uploads"],
            "summary": "The caller's own uploads, the newest first",
            "parameters": _named("State", "Size", "Before"),
            "responses": {
                "200": _answer(
                    "A page. It may have fewer uploads than `size`, and even none, and still have a `next`.",
                    schema=ref("schemas", "UploadList"),
                    example=page,
                ),
                **_faults(*_ALWAYS, *_TOKEN),
            },
        }
    )


def _complete() -> JSON:
    """The answers to the request that completes an upload."""
    message = {"id": 2, "type": "FILE", "file": {"type": "EXTERNAL", "url": _URL}}
    marks = ("Upload-Id", *_STANDING, "Preference-Applied")
    registered = _answer(
        "The upload is complete, and registered: ChatKitty's own answer. By tus with `Prefer: wait=N`, also the upload if its file was rejected.",
        *marks,
        schema={"type": "object"},
        example=message,
    )
    registered["content"]["application/vnd.chatkitty+json"] = {"schema": {"type": "object"}}
    accepted = _answer(
        "The upload is complete, and accepted. `Location` is the upload, which says what becomes of it.",
        *marks,
        "Location",
        schema=ref("schemas", "Upload"),
        example=_ACCEPTED,
    )
    return {"200": registered, "202": accepted}


def _events_of_one() -> JSON:
    return {
        "parameters": _named("UploadId"),
        "get": {
            "operationId": "streamUpload",
            "tags": ["Uploads"],
            "summary": "Each state of an upload until it has ended, as server-sent events",
            "parameters": _named("LastEventId"),
            "responses": {
                "200": _stream(),
                "204": _answer("The upload has ended, and the client has its last event"),
                **_faults(*_ALWAYS, *_TOKEN, 404),
            },
        },
    }


def _events_of_all() -> JSON:
    return {
        "get": {
            "operationId": "streamUploads",
            "tags": ["Uploads"],
            "summary": "The states of all uploads of the caller, as server-sent events",
            "parameters": _named("LastEventId"),
            "responses": {"200": _stream(), **_faults(*_ALWAYS, *_TOKEN)},
        }
    }


def _stream() -> JSON:
    answer = _answer("Events of the kinds `state` and `end`, as docs/events.md says")
    # No schema: before OpenAPI 3.2, readers disagree whether it is of the stream or of each event.
    return {**answer, "content": {"text/event-stream": {"example": _EVENTS}}}


def _upload() -> JSON:
    kept = _answer(
        "The bytes are kept. By tus, also if the upload is complete.", "Upload-Id", *_STANDING
    )
    more_to_come = _answer(
        "The bytes are kept, and more are to come: versions 3 to 6 of the draft",
        "Upload-Id",
        *_STANDING,
    )
    dialects = _named("TusResumableOptional", "DraftVersion")
    get = {
        "operationId": "getUpload",
        "tags": ["Uploads"],
        "summary": "One upload of the caller",
        "description": "An upload of another subject reads as if it did not exist. With `If-None-Match` and `Prefer: wait=N`, the answer comes when the upload has another `ETag`, or after N seconds. While more of an upload is to come, `offset`, `length` and `expires` say how far it is, and the headers say it in the dialect of the request.",
        "parameters": [*dialects, *_named("IfNoneMatch", "Prefer")],
        "responses": {
            "200": _answer(
                "The upload",
                "ETag",
                "Preference-Applied",
                *_STANDING,
                "Upload-Length",
                "Upload-Defer-Length",
                "Upload-Metadata",
                schema=ref("schemas", "Upload"),
                examples={"ended": {"value": _REGISTERED}, "receiving": {"value": _RECEIVING}},
            ),
            "304": _answer(
                "The client has this version of the upload", "ETag", "Preference-Applied"
            ),
            **_faults(*_ALWAYS, *_TOKEN, 404, 412),
        },
    }
    head = {
        "operationId": "headUpload",
        "tags": ["Continuing uploads"],
        "summary": "How far an upload is",
        "description": "A client continues an upload from `Upload-Offset`. A relayed upload, which cannot be continued, is answered as by GET.",
        "parameters": dialects,
        "responses": {
            "200": _answer(
                "How far it is, by tus; or the upload was relayed",
                *_STANDING,
                "Upload-Length",
                "Upload-Defer-Length",
                "Upload-Metadata",
            ),
            "204": _answer("How far it is, by the draft", *_STANDING, "Upload-Length"),
            **_faults(*_ALWAYS, *_TOKEN, 404, 409, 410, 412, 422),
        },
    }
    patch = {
        "operationId": "continueUpload",
        "tags": ["Continuing uploads"],
        "summary": "More of the file, from the offset on that the request names",
        "description": "By tus with `Tus-Resumable`, otherwise by the IETF draft. Every byte that came counts, also if the connection breaks.",
        "parameters": [
            *dialects,
            *_named("UploadOffset", "UploadComplete", "UploadLength", "UploadChecksum"),
            *_named("ContentDigest", "Prefer"),
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
            "202": _answer(
                "Workers will remove the file",
                "Location",
                schema=ref("schemas", "Upload"),
                example=_REGISTERED,
            ),
            "204": _answer(
                "The upload was cancelled, or its file is gone already", "Tus-Resumable"
            ),
            **_faults(*_ALWAYS, *_TOKEN, 404, 405, 409, 410, 412, 422),
        },
    }
    post = {
        "operationId": "overrideUpload",
        "tags": ["Continuing uploads"],
        "summary": "PATCH or DELETE, for tus clients that cannot send these methods",
        "parameters": _named(
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
        "parameters": _named("UploadId"),
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
    return _with_head(
        {
            "operationId": "getFile",
            "tags": ["Files"],
            "summary": "A hosted file",
            "description": "Its URL, which ChatKitty was given, is all that is needed to read it: the token in it is signed. `name` may be any.",
            "security": _NO_TOKEN,
            "parameters": _named("FileToken", "FileName", "Range", "IfNoneMatch"),
            "responses": {
                "200": {**_answer("The file", *file), "content": content},
                "206": {
                    **_answer("The range of bytes that was asked for", *file, "Content-Range"),
                    "content": content,
                },
                "302": _answer(
                    "The file is at a URL of the store, which works for some minutes (GATEWAY_SERVE_FILES)",
                    "Location",
                    "Cache-Control",
                ),
                "304": _answer("The client has the file already", "ETag"),
                "308": _answer(
                    "Files have a host name of their own (GATEWAY_FILES_URL)", "Location"
                ),
                **_faults(*_ALWAYS, 404, 410, 412, 416),
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
    return _answer(
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
            "parameters": _named(
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
            "security": _NO_TOKEN,
            "responses": {
                "204": _answer("What an upload may have", "Upload-Limit"),
                **_faults(*_ALWAYS, 404),
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
            "parameters": _named(
                *("TusResumable", "UploadLengthOfCreation", "UploadDeferLength"),
                *("UploadMetadata", "UploadChecksum", "ContentDigest", "IdempotencyKey", "Prefer"),
            ),
            "requestBody": {"content": {tus.CONTENT: BINARY}},
            "responses": {
                "201": _begun(),
                **_faults(*_ALWAYS, *_TOKEN, *_CONTINUING),
            },
        },
        "options": {
            "operationId": f"getTusLimitsOf{kind}",
            "tags": ["Beginning uploads"],
            "summary": f"What is supported of tus: {what}",
            "security": _NO_TOKEN,
            "responses": {
                "204": _answer(
                    "The version and the extensions of tus",
                    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size"),
                    "Tus-Checksum-Algorithm",
                ),
                **_faults(*_ALWAYS, 404),
            },
        },
    }
