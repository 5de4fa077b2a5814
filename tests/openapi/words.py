"""The parameters, headers and schemas of the document."""

from typing import Any, Final

from gateway.resumable.dialects import tus

JSON = dict[str, Any]

ID: Final = "019a4c5e-3b1a-7c63-9f5e-8d2f4b6a7c10"
UUID: Final[JSON] = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}
NUMBER: Final[JSON] = {"type": "string", "pattern": "^[0-9]{1,18}$"}
TEXT: Final[JSON] = {"type": "string"}
BINARY: Final[JSON] = {"schema": {"type": "string", "format": "binary"}}
MOMENT: Final[JSON] = {"type": "string", "format": "date-time"}


def ref(kind: str, name: str) -> JSON:
    """A reference to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


TAGS: Final[list[JSON]] = [
    {
        "name": "Beginning uploads",
        "description": "A file as the whole body, or an upload in several requests (docs/resumable.md). GATEWAY_RESUMABLE switches these off (404). Multipart requests go to ChatKitty's own paths.",
    },
    {
        "name": "Continuing uploads",
        "description": "Uploads in several requests, by the IETF draft or by tus",
    },
    {"name": "Uploads", "description": "What became of an upload"},
    {"name": "Files", "description": "Hosted files"},
    {"name": "Trying uploads", "description": "A page for browsers"},
    {"name": "Health", "description": "Whether a gateway works"},
    {
        "name": "Operators",
        "description": "The listener for operators. It asks for no token here: do not expose it. Paths and methods that it does not have are answered in plain text.",
    },
    {
        "name": "The operator's page",
        "description": "What the operator's page asks for (docs/pages.md). These may change with the page, in any version: scripts use the command line. GATEWAY_ADMIN_TOKEN switches them on; without it, each answers 404. `Host` must be an address, `localhost` or the machine's own name (421).",
    },
]


def parameter(
    place: str,
    name: str,
    description: str,
    schema: JSON = TEXT,
    *,
    required: bool = False,
    example: object = None,
) -> JSON:
    """A parameter that is `place`d in the path, the query or a header."""
    found = {
        "name": name,
        "in": place,
        "required": required or place == "path",
        "description": description,
        "schema": schema,
    }
    return found if example is None else {**found, "example": example}


_TUS_VERSION: Final[JSON] = {"type": "string", "const": tus.VERSION}
_NO_NUMBER: Final = "By the draft, a value that is no number is ignored (RFC 9651)."
_VERSION_3: Final = "In version 3 the field is `Upload-Incomplete`, and means the opposite."
PARAMETERS: Final[JSON] = {
    "UploadId": parameter(
        "path",
        "id",
        "The upload's id, which each answer to an upload has in `Upload-Id`",
        UUID,
        example=ID,
    ),
    "FileToken": parameter(
        "path", "token", "Which file it is, and until when the URL works", example="TOKEN"
    ),
    "FileName": parameter("path", "name", "A name for the reader", example="cat.png"),
    "Range": parameter("header", "Range", "One range of bytes"),
    "IfNoneMatch": parameter("header", "If-None-Match", "The `ETag` that the client has"),
    "LastEventId": parameter(
        "header", "Last-Event-ID", "The `id` of the last event that the client has"
    ),
    "State": parameter("query", "state", "Only uploads in this state", ref("schemas", "State")),
    "Size": parameter(
        "query",
        "size",
        "The most uploads of a page; a number below 1 means 1, one above 100 means 100",
        {"type": "integer", "default": 25},
        example=25,
    ),
    "Before": parameter("query", "before", "An id: the page after it", UUID),
    "TriedPath": parameter(
        "query",
        "path",
        "A path of ChatKitty's",
        required=True,
        example="/v1/channels/702/messages",
    ),
    "LeftProcess": parameter(
        "query",
        "leave",
        "The `X-Gateway-Process` of an answer: that process closes the connection, so that the next one may reach another",
    ),
    "IdempotencyKey": parameter(
        "header",
        "Idempotency-Key",
        "Makes the request repeatable: the same request gets the answer of the first one",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "Prefer": parameter(
        "header",
        "Prefer",
        "`respond-async`, or `wait=N`: how many seconds the client waits for the registration; by GET with `If-None-Match`, for a change. Anything else is ignored.",
        example="wait=25",
    ),
    "ContentDisposition": parameter(
        "header",
        "Content-Disposition",
        "Has the name of the file",
        example='inline; filename="cat.png"',
    ),
    "DraftVersion": parameter(
        "header",
        "Upload-Draft-Interop-Version",
        "The version of the IETF draft, 3 to 8. Any other value means the newest rules.",
    ),
    "UploadCompleteAtFirst": parameter(
        "header", "Upload-Complete", f"`?0` if more of the file follows. {_VERSION_3}"
    ),
    "UploadComplete": parameter(
        "header",
        "Upload-Complete",
        f"`?1` if the file ends with this content, or `?0`: required by the draft, of no meaning by tus. {_VERSION_3}",
        example="?1",
    ),
    "UploadOffset": parameter(
        "header",
        "Upload-Offset",
        "The number of bytes that were sent before; a DELETE by tus needs none",
        NUMBER,
        example="0",
    ),
    "UploadLength": parameter(
        "header",
        "Upload-Length",
        f"The length of the file, if it was not known yet. {_NO_NUMBER}",
    ),
    "UploadLengthOptional": parameter(
        "header", "Upload-Length", f"The length of the file, if it is known. {_NO_NUMBER}"
    ),
    "UploadLengthOfCreation": parameter(
        "header",
        "Upload-Length",
        "The length of the file; required without `Upload-Defer-Length`",
        NUMBER,
        example="70",
    ),
    "UploadDeferLength": parameter(
        "header",
        "Upload-Defer-Length",
        "`1` if the length is not known yet",
        {"type": "string", "const": "1"},
    ),
    "UploadMetadata": parameter(
        "header",
        "Upload-Metadata",
        "Pairs of a key and a value in Base64: `filename`, `filetype`, and the parts that ChatKitty documents next to a file",
        example="filename Y2F0LnBuZw==,filetype aW1hZ2UvcG5n",
    ),
    "UploadChecksum": parameter(
        "header",
        "Upload-Checksum",
        "By tus: `sha1` or `sha256`, a space, and the digest of this content in Base64",
    ),
    "ContentDigest": parameter(
        "header",
        "Content-Digest",
        "The digest of this content (RFC 9530), by `sha-256` or `sha-512`; other algorithms are ignored",
    ),
    "ReprDigest": parameter(
        "header",
        "Repr-Digest",
        "The digest of the file, if it comes in one request (RFC 9530)",
    ),
    "TusResumable": parameter(
        "header",
        "Tus-Resumable",
        "The version of tus",
        _TUS_VERSION,
        required=True,
        example=tus.VERSION,
    ),
    "TusResumableOptional": parameter(
        "header",
        "Tus-Resumable",
        "The version of tus. Without it, the request is by the IETF draft, or about the resource.",
        _TUS_VERSION,
    ),
    "MethodOverride": parameter(
        "header",
        "X-HTTP-Method-Override",
        "The method that is meant",
        {"type": "string", "enum": ["PATCH", "DELETE"]},
        required=True,
        example="PATCH",
    ),
    "GroupTag": parameter("query", "groupTag", "ChatKitty's part of this name", example="cats"),
    "Username": parameter(
        "query", "username", "ChatKitty's part of this name: the user who sends the message"
    ),
    "Properties": parameter("query", "properties", "ChatKitty's part of this name: a JSON object"),
}


def _header(description: str, schema: JSON = TEXT) -> JSON:
    return {"description": description, "schema": schema}


HEADERS: Final[JSON] = {
    "X-Request-Id": _header("The id by which logs name the request"),
    "Upload-Id": _header("The id of the upload", UUID),
    "Location": _header("Where the upload, or the file, is"),
    "Upload-Offset": _header("The number of bytes that are kept", NUMBER),
    "Upload-Length": _header("The length of the file", NUMBER),
    "Upload-Defer-Length": _header("`1`: the length is not known yet"),
    "Upload-Metadata": _header("What the creation said about the file"),
    "Upload-Complete": _header("Whether the upload is complete: `?1` or `?0`"),
    "Upload-Incomplete": _header("The opposite, in version 3 of the draft"),
    "Upload-Limit": _header(
        "The largest file (`max-size`), and for how many seconds the upload is kept (`max-age`)"
    ),
    "Upload-Expires": _header("Until when the upload is kept, by tus"),
    "Tus-Resumable": _header("The version of tus"),
    "Tus-Version": _header("The versions of tus"),
    "Tus-Extension": _header("The extensions of tus"),
    "Tus-Max-Size": _header("The largest file", NUMBER),
    "Tus-Checksum-Algorithm": _header("The digests that `Upload-Checksum` may have"),
    "Preference-Applied": _header("What the gateway applied of `Prefer`"),
    "Retry-After": _header(
        "The request may be repeated after that many seconds",
        {"type": "string", "pattern": "^[0-9]+$"},
    ),
    "RateLimit": _header("What is left of each quota, and when more will be"),
    "RateLimit-Policy": _header("The quotas of the caller"),
    "WWW-Authenticate": _header("Which token is needed (RFC 6750)"),
    "Allow": _header("The methods of this path"),
    "Repr-Digest": _header("The digests of the file, as far as they are known (RFC 9530)"),
    "ETag": _header("Identifies the content"),
    "Last-Modified": _header("When the file was stored"),
    "Accept-Ranges": _header("`bytes`"),
    "Content-Range": _header("Which bytes these are"),
    "Content-Disposition": _header("The file's name, and whether a browser may display it"),
    "Cache-Control": _header("How long the answer may be kept"),
}

SCHEMAS: Final[JSON] = {
    "State": {"type": "string", "enum": []},
    "Health": {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"const": "ok"}},
    },
    "TriedRoute": {
        "type": "object",
        "required": ["delivery", "maxFileSize"],
        "properties": {
            "delivery": {"enum": ["relay", "external"]},
            "maxFileSize": {"type": "integer", "description": "The most bytes of a file"},
        },
    },
    "Readiness": {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"enum": ["ready", "unready", "draining"]},
            "faults": {
                "type": "object",
                "additionalProperties": TEXT,
                "description": "What is wrong, by the part: store, upstream, redis, broker",
            },
        },
    },
    "File": {
        "type": "object",
        "required": ["name", "size", "digests"],
        "properties": {
            "name": {**TEXT, "description": "The name, made safe"},
            "size": {"type": "integer", "minimum": 0},
            "contentType": {**TEXT, "description": "What the bytes are"},
            "declaredContentType": {**TEXT, "description": "What the client said that they are"},
            "digests": {
                "type": "object",
                "properties": {
                    "crc32c": {"type": "string", "pattern": "^[0-9a-f]{8}$"},
                    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
            },
        },
    },
    "End": {
        "type": "object",
        "description": "Why the upload did not succeed (docs/problems.md)",
        "required": ["type", "detail"],
        "properties": {"type": {"type": "string", "enum": []}, "detail": TEXT},
    },
    "Upload": {
        "type": "object",
        "required": ["id", "state", "delivery", "target", "history"],
        "properties": {
            "id": UUID,
            "state": ref("schemas", "State"),
            "delivery": {"enum": ["relay", "external"]},
            "target": {
                "type": "object",
                "description": "The request to ChatKitty that the client meant",
                "required": ["method", "path"],
                "properties": {"method": TEXT, "path": TEXT},
            },
            "history": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["state", "at"],
                    "properties": {"state": ref("schemas", "State"), "at": MOMENT},
                },
            },
            "tokenUntil": {
                **MOMENT,
                "description": "When the caller's token expires, if the upload needs it",
            },
            "outlivedToken": {
                "const": True,
                "description": "The token had expired before the upload was complete",
            },
            "file": ref("schemas", "File"),
            "files": {
                "type": "array",
                "items": ref("schemas", "File"),
                "description": "In place of `file` if there is not exactly one",
            },
            "url": {**TEXT, "description": "Where the hosted file is"},
            "ambiguities": {
                "type": "array",
                "items": TEXT,
                "description": "What two servers could read differently (docs/conformance.md)",
            },
            "result": {
                "type": "object",
                "description": "The status of ChatKitty's answer",
                "required": ["status"],
                "properties": {"status": {"type": "integer"}},
            },
            "removedAt": MOMENT,
            "removedFor": {**TEXT, "description": "Why the file was removed"},
            "problem": ref("schemas", "End"),
            "fileMissing": {
                "const": True,
                "description": "The file of a registered upload is not in the store",
            },
            "offset": {
                "type": "integer",
                "description": "The bytes that are kept, while more are to come",
            },
            "length": {"type": "integer"},
            "expires": MOMENT,
        },
    },
    "UploadList": {
        "type": "object",
        "required": ["uploads"],
        "properties": {
            "uploads": {"type": "array", "maxItems": 100, "items": ref("schemas", "Upload")},
            "next": {**TEXT, "description": "The path of the next page, if there is one"},
        },
    },
    "Problem": {
        "type": "object",
        "description": "A problem (RFC 9457), with the members of ChatKitty's own errors (docs/problems.md)",
        "required": [
            *("type", "title", "status", "detail", "request_id"),
            *("error", "error_description", "message", "timestamp"),
        ],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": {
                **TEXT,
                "description": "For the client's developer; its wording may change",
            },
            "outcome": {
                "const": "unknown",
                "description": "ChatKitty may have done what the request asked for",
            },
            "violated-policies": {"type": "array", "items": TEXT},
            "expected-offset": {"type": "integer"},
            "provided-offset": {"type": ["integer", "null"]},
            "upload": ref("schemas", "Upload"),
            "request_id": TEXT,
            "upload_id": UUID,
            "error": TEXT,
            "error_description": TEXT,
            "message": TEXT,
            "timestamp": MOMENT,
        },
    },
}
