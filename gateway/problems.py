"""The one table from error to answer, as RFC 9457 problems that ChatKitty's SDKs can read too."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Final

from gateway import errors
from gateway.descriptors import ran_out
from gateway.multipart import InvalidBoundary, LimitExceeded, TooManyParts

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:problem-type:chatkitty-gateway:"
_REGISTERED_PREFIX: Final = "https://iana.org/assignments/http-problem-types#"
_CHALLENGE: Final = 'Bearer realm="chatkitty-gateway"'


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status, the slug of its type URI, and its title.

    `registered`: the type is one of IANA's registry (RFC 9457 section 4.2).
    """

    status: int
    slug: str
    title: str
    registered: bool = False

    @property
    def type(self) -> str:
        """The URI of the type."""
        return (_REGISTERED_PREFIX if self.registered else _TYPE_PREFIX) + self.slug


_MAY_HAVE: Final = "it may have carried out the request anyway"

_NO_DESCRIPTOR: Final = Kind(503, "busy", "The gateway cannot open more connections right now")
_RETRY_SECONDS: Final = "2"

INTERNAL: Final = Kind(500, "internal-error", "The gateway failed")

PROBLEMS: Final[Mapping[type[Exception], Kind]] = {
    # who asks
    errors.MalformedAuthorization: Kind(
        400, "invalid-request", "The Authorization header cannot be read"
    ),
    errors.AuthenticationRequired: Kind(401, "unauthorized", "A bearer token is needed"),
    errors.InvalidToken: Kind(401, "invalid-token", "The bearer token is not accepted"),
    errors.InsufficientScope: Kind(403, "insufficient-scope", "The token does not allow this"),
    errors.ForeignToken: Kind(
        403, "foreign-application", "The token belongs to an application that is not served here"
    ),
    errors.AnotherUser: Kind(403, "another-user", "The token does not allow acting as this user"),
    errors.AuthorizationEnded: Kind(
        401, "authorization-ended", "The token expired during the upload"
    ),
    errors.GrantRefused: Kind(401, "grant-refused", "Uploads with only a grant are not accepted"),
    errors.TokenEndsTooSoon: Kind(403, "token-ends-too-soon", "The token expires too soon"),
    errors.VerifierUnavailable: Kind(
        503, "verifier-unavailable", "The token cannot be verified now"
    ),
    errors.TooManyUnknownTokens: Kind(
        429, "too-many-unknown-tokens", "Too many unknown tokens came from this address"
    ),
    # how much
    errors.QuotaExceeded: Kind(429, "quota-exceeded", "The quota is used up"),
    errors.LargerThanQuota: Kind(
        413, "larger-than-quota", "The body is larger than the whole quota"
    ),
    # what is asked for
    errors.RouteNotFound: Kind(404, "not-found", "There is nothing under this path"),
    errors.WrongHost: Kind(421, "wrong-host", "This is not a name of the admin port"),
    errors.CrossSiteRequest: Kind(403, "cross-site", "Another site must not send this request"),
    errors.UploadNotFound: Kind(404, "upload-not-found", "There is no such upload"),
    errors.HostedFileNotFound: Kind(404, "file-not-found", "There is no such file"),
    errors.HostedFileGone: Kind(410, "file-gone", "The file was removed"),
    errors.NotRemovable: Kind(409, "not-removable", "The file cannot be removed now"),
    errors.ConditionFailed: Kind(412, "condition-failed", "The file does not meet the condition"),
    errors.RangeNotSatisfiable: Kind(
        416, "range-not-satisfiable", "The file has no such range of bytes"
    ),
    errors.UploadInProgress: Kind(
        409, "upload-in-progress", "The first request is still in progress"
    ),
    errors.IdempotencyKeyReused: Kind(
        422, "idempotency-key-reused", "The idempotency key belongs to another request"
    ),
    errors.UploadSuperseded: Kind(
        503, "upload-superseded", "The upload was abandoned in the meantime"
    ),
    errors.ExpectationFailed: Kind(417, "expectation-failed", "The expectation cannot be met"),
    errors.HeadTimeout: Kind(408, "head-timeout", "The request did not arrive in time"),
    errors.HeadTooLarge: Kind(431, "head-too-large", "The head of the request is too large"),
    errors.MalformedRequest: Kind(400, "malformed-request", "The request cannot be understood"),
    errors.MalformedTarget: Kind(400, "malformed-target", "The path is ambiguous"),
    errors.MethodNotAllowed: Kind(
        405, "method-not-allowed", "The path does not support this method"
    ),
    # No 5xx and no 409, after which clients of such uploads try again.
    errors.ResumableUpload: Kind(422, "no-resumable-uploads", "Uploads cannot be resumed here"),
    errors.NotHosted: Kind(422, "not-hosted", "Files for this path are not hosted here"),
    errors.OffsetMismatch: Kind(
        409, "mismatching-upload-offset", "The upload continues at another offset", registered=True
    ),
    # The status is that of tus' extension for checksums.
    errors.ChecksumFailed: Kind(460, "checksum-failed", "The content does not match its checksum"),
    errors.DigestMismatch: Kind(400, "digest-mismatch", "The content does not match its digest"),
    errors.SessionTaken: Kind(409, "upload-continued", "Another request has continued the upload"),
    errors.SessionEnded: Kind(410, "upload-ended", "The upload accepts no more bytes"),
    errors.SessionUnreadable: Kind(
        503, "upload-unreadable", "The state of the upload cannot be read"
    ),
    errors.InconsistentUploadLength: Kind(
        400,
        "inconsistent-upload-length",
        "The length of the upload is inconsistent",
        registered=True,
    ),
    errors.UnsupportedContentType: Kind(
        415, "unsupported-content-type", "A part of an upload has the wrong Content-Type"
    ),
    errors.UnsupportedTusVersion: Kind(
        412, "unsupported-tus-version", "This version of tus is not supported"
    ),
    errors.WebSocketRefused: Kind(501, "no-websockets", "WebSockets are not supported here"),
    # the body
    errors.MalformedUpload: Kind(400, "malformed-upload", "The multipart body cannot be accepted"),
    InvalidBoundary: Kind(400, "invalid-boundary", "The multipart boundary cannot be used"),
    # No client makes a form beyond these limits, except that of parts.
    LimitExceeded: Kind(400, "malformed-upload", "The multipart body cannot be accepted"),
    TooManyParts: Kind(413, "form-too-large", "The form exceeds a limit"),
    errors.FormTooLarge: Kind(413, "form-too-large", "The form exceeds a limit"),
    errors.MissingFile: Kind(400, "missing-file", "The upload has no part named `file`"),
    errors.SeveralFiles: Kind(400, "several-files", "The upload has more than one file"),
    errors.EmptyFile: Kind(400, "empty-file", "The file is empty"),
    errors.FileTooLarge: Kind(413, "file-too-large", "The file exceeds this route's limit"),
    errors.InvalidField: Kind(400, "invalid-field", "A part next to the file cannot be accepted"),
    errors.EncodedBody: Kind(415, "encoded-body", "An upload must not have a Content-Encoding"),
    errors.UploadAborted: Kind(400, "upload-aborted", "The body ended before it was complete"),
    errors.BodyTimeout: Kind(408, "body-timeout", "The body did not arrive in time"),
    # our own parts
    errors.TooManyConnections: Kind(503, "busy", "There is no room for another client right now"),
    errors.TooManyWebSockets: Kind(503, "busy", "There is no room for another WebSocket right now"),
    errors.TooManyUploads: Kind(503, "busy", "There is no room for another upload right now"),
    errors.TooManyListeners: Kind(
        503, "busy", "There is no room for another event stream or long poll right now"
    ),
    errors.TooManyListenersOfSubject: Kind(
        429, "too-many-listeners", "Too many event streams and long polls are open"
    ),
    errors.BudgetExhausted: Kind(503, "busy", "There is no room for another upload right now"),
    errors.StoreUnavailable: Kind(503, "store-unavailable", "The file cannot be stored now"),
    errors.ObjectNotFound: Kind(503, "store-unavailable", "The file cannot be stored now"),
    errors.ObjectTooLarge: Kind(503, "store-unavailable", "The file cannot be stored now"),
    errors.PreconditionFailed: Kind(
        503, "upload-superseded", "The upload was abandoned in the meantime"
    ),
    errors.ChecksumMismatch: Kind(503, "store-unavailable", "The file cannot be stored now"),
    errors.PartLimitExceeded: Kind(413, "file-too-large", "The file exceeds this route's limit"),
    errors.QueueUnavailable: Kind(
        503, "queue-unavailable", "The upload cannot be queued right now"
    ),
    # the upstream
    errors.UpstreamTimeout: Kind(504, "upstream-timeout", "ChatKitty did not answer in time"),
    errors.RecordNotKept: Kind(503, "record-not-kept", "The upload's record could not be saved"),
    errors.UpstreamRefused: Kind(502, "upstream-refused", "ChatKitty refused the request"),
    errors.UpstreamError: Kind(502, "upstream-unavailable", "ChatKitty cannot be reached"),
}

OUTCOME_UNKNOWN: Final = Kind(409, "outcome-unknown", "The outcome of the first request is unknown")

REJECTION_STATUS: Final = 422
"""A file that verification or the content policy rejected after it was received."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem as it is answered: `detail` is for the client's developer to read.

    `outcome_unknown`: ChatKitty may have done what it was asked. The answer says that, and names
    the `violated_policies` of a quota. `extensions` are further members of its document.
    """

    kind: Kind
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    outcome_unknown: bool = False
    violated_policies: Sequence[str] = ()
    extensions: Mapping[str, object] = field(default_factory=dict)


def problem_of(error: Exception) -> Problem:
    """The problem for `error`; an error that is not in the table is the gateway's fault: a 500."""
    if _was_not_sent(error) and ran_out(error):
        return Problem(_NO_DESCRIPTOR, _NO_DESCRIPTOR.title, {"Retry-After": _RETRY_SECONDS})
    for cls in type(error).__mro__:
        if (kind := PROBLEMS.get(cls)) is not None:
            headers = _headers(error, kind)
            if isinstance(error, errors.UpstreamError) and error.outcome_unknown:
                return Problem(kind, f"{error}; {_MAY_HAVE}", headers, outcome_unknown=True)
            violated = error.violated if isinstance(error, errors.QuotaExceeded) else ()
            return Problem(
                kind,
                str(error) or kind.title,
                headers,
                violated_policies=violated,
                extensions=_extensions(error),
            )
    return Problem(INTERNAL, "this is an error in the gateway; it was logged")


def _extensions(error: Exception) -> Mapping[str, object]:
    """Source: draft-ietf-httpbis-resumable-upload, problem types."""
    if isinstance(error, errors.OffsetMismatch):
        return {"expected-offset": error.expected, "provided-offset": error.provided}
    return {}


def _was_not_sent(error: Exception) -> bool:
    """Whether nothing was done because a part was unavailable."""
    if isinstance(error, errors.UpstreamUnavailable):
        return not error.outcome_unknown
    return isinstance(error, errors.Unavailable)


def rejection(slug: str, detail: str) -> Problem:
    """The problem of an upload that was rejected, by the fault in its record."""
    return Problem(Kind(REJECTION_STATUS, slug, "The file was rejected"), detail)


def failure(slug: str, detail: str) -> Problem:
    """The problem of an upload that failed, by the fault in its record."""
    return Problem(Kind(502, slug, "The upload could not be registered"), detail)


def members(problem: Problem, at: datetime, ids: Mapping[str, object]) -> dict[str, object]:
    """The members of the problem document (RFC 9457 section 3), and those of ChatKitty's errors.

    `ids` are the request's and the upload's, each a member by its name.
    """
    kind = problem.kind
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        **({"outcome": "unknown"} if problem.outcome_unknown else {}),
        **({"violated-policies": problem.violated_policies} if problem.violated_policies else {}),
        **problem.extensions,
        **ids,
        "error": chatkitty_error(kind),
        "error_description": problem.detail,
        "message": problem.detail,
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def chatkitty_error(kind: Kind) -> str:
    """An error name as ChatKitty has it: its own for 401 and 403, else like `FileTooLargeError`."""
    if kind.status == 401:
        return "unauthorized"
    if kind.status == 403:
        return "access_denied"
    return "".join(word.capitalize() for word in kind.slug.split("-")) + "Error"


_BEARER_ERRORS: Final[Mapping[type[Exception], str]] = {
    errors.MalformedAuthorization: "invalid_request",
    errors.InvalidToken: "invalid_token",
    errors.AuthorizationEnded: "invalid_token",
    errors.InsufficientScope: "insufficient_scope",
}
"""RFC 6750 section 3.1."""

_NOT_QUOTABLE: Final = re.compile(r"[^ !#-\[\]-~]")


def _headers(error: Exception, kind: Kind) -> dict[str, str]:
    if isinstance(error, errors.Unavailable) or kind.status == 503:
        return {"Retry-After": str(max(1, ceil(getattr(error, "retry_after", 1.0))))}
    if isinstance(error, errors.QuotaExceeded):
        return {"Retry-After": str(max(1, ceil(error.retry_after))), **error.fields}
    if supported := _supported(error):
        return supported
    if (code := _BEARER_ERRORS.get(type(error))) is not None:
        return {"WWW-Authenticate": _challenge(error, code)}
    return {"WWW-Authenticate": _CHALLENGE} if kind.status == 401 else {}


def _supported(error: Exception) -> dict[str, str]:
    """The headers that say what would be accepted instead."""
    match error:
        case errors.RangeNotSatisfiable():
            return {"Content-Range": f"bytes */{error.size}"}
        case errors.MethodNotAllowed():
            return {"Allow": ", ".join(error.allowed)}
        case errors.UnsupportedTusVersion():
            return {"Tus-Version": error.supported}
    return {}


def _challenge(error: Exception, code: str) -> str:
    """The challenge with what was wrong (RFC 6750 section 3), in the characters it allows."""
    description = _NOT_QUOTABLE.sub("'", str(error))
    challenge = f'{_CHALLENGE}, error="{code}", error_description="{description}"'
    if isinstance(error, errors.InsufficientScope):
        challenge += f', scope="{" ".join(error.scopes)}"'
    return challenge
