"""What can go wrong, as types. `gateway.problems` turns each into its HTTP answer.

Clients read the text of an error, so it never contains a token, a file's content, or an internal
address.
"""

from collections.abc import Collection, Mapping, Sequence


class GatewayError(Exception):
    """Any error that this project raises on purpose."""


class ClientError(GatewayError):
    """The client must change something before it tries again."""


class Unavailable(GatewayError):
    """A part that the gateway needs is unavailable; `retry_after` is in seconds."""

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


# --- who asks -----------------------------------------------------------------------------------


class MalformedAuthorization(ClientError):
    """The Authorization header cannot be read, or there are two (RFC 6750 `invalid_request`)."""


class AuthenticationRequired(ClientError):
    """No bearer token came with the request."""


class InvalidToken(ClientError):
    """No verifier accepts the token (RFC 6750 `invalid_token`)."""


class InsufficientScope(ClientError):
    """The token is good, but not for this (RFC 6750 `insufficient_scope`); `scopes` would be."""

    def __init__(self, detail: str, scopes: Collection[str]) -> None:
        super().__init__(detail)
        self.scopes = tuple(sorted(scopes))


class ForeignToken(ClientError):
    """The token is good, but belongs to an application that this gateway does not serve.

    Neither RFC 6750 error fits: `invalid_token` would have clients fetch another token of the same
    application without end, and no scope would help.
    """


class AnotherUser(ClientError):
    """The token may act only as one ChatKitty user, and the upload names another one or none."""


class AuthorizationEnded(ClientError):
    """The upload continued for too long after its token had expired."""


class GrantRefused(ClientError):
    """A runtime upload by `Grant` header alone, which this gateway does not relay."""


class TokenEndsTooSoon(ClientError):
    """The caller's token may expire before the last retry of the registration."""


class VerifierUnavailable(Unavailable):
    """The verifier of a token does not answer."""


class VerifierThrottled(VerifierUnavailable):
    """The verifier was asked too often (429), but it works."""


class ApplicationUnknown(VerifierUnavailable):
    """The token is good, but which application is the gateway's own could not be found out yet."""


class TooManyUnknownTokens(Unavailable):
    """The address sent too many unknown tokens: the gateway asks no issuer about more of them."""


# --- how much ------------------------------------------------------------------------------------


class QuotaExceeded(ClientError):
    """The subject has used up its quota; some is available again in `retry_after` seconds.

    `violated` are the names of the policies, `fields` the `RateLimit` headers of the answer.
    """

    def __init__(
        self, detail: str, retry_after: float, violated: Sequence[str], fields: Mapping[str, str]
    ) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.violated = violated
        self.fields = fields


class LargerThanQuota(ClientError):
    """The body is larger than what its subject may send in a whole window."""


# --- what is asked for --------------------------------------------------------------------------


class RouteNotFound(ClientError):
    """The path is neither the upstream's nor the gateway's own."""


class WrongHost(ClientError):
    """The request to the operator's page names a host that is not the admin port's own."""


class CrossSiteRequest(ClientError):
    """A page of another site had a browser ask for an action of an operator."""


class UploadNotFound(ClientError):
    """No upload of that id exists for this subject."""


class HostedFileNotFound(ClientError):
    """The file token names no file that may be served."""


class HostedFileGone(ClientError):
    """The file was removed (RFC 9110 section 15.5.11)."""


class NotRemovable(ClientError):
    """The upload has no file that can be removed now."""


class ConditionFailed(ClientError):
    """The file does not meet the request's condition (RFC 9110 section 13.1)."""


class RangeNotSatisfiable(ClientError):
    """The file, of `size` bytes, has no such range (RFC 9110 section 15.5.17)."""

    def __init__(self, detail: str, size: int) -> None:
        super().__init__(detail)
        self.size = size


class UploadInProgress(Unavailable):
    """The first request with this idempotency key is still being worked on."""


class IdempotencyKeyReused(ClientError):
    """The idempotency key came with another target, or another length, than before."""


class UploadSuperseded(Unavailable):
    """The upload was abandoned while it was received, and another request may have taken over."""


class ExpectationFailed(ClientError):
    """An `Expect` other than `100-continue` (RFC 9110 section 10.1.1)."""


class HeadTimeout(ClientError):
    """The head of a request was not complete in time (RFC 9110 section 15.5.9)."""


class HeadTooLarge(ClientError):
    """The head of a request, or its trailer section, is too large (RFC 6585 section 5)."""


class MalformedRequest(ClientError):
    """A request that cannot be understood, apart from its multipart body."""


class MalformedTarget(MalformedRequest):
    """The path of a request is one that servers read in different ways (RFC 3986 section 6)."""


class MethodNotAllowed(ClientError):
    """The path supports only the methods in `allowed` (RFC 9110 section 15.5.6)."""

    def __init__(self, detail: str, allowed: Sequence[str]) -> None:
        super().__init__(detail)
        self.allowed = tuple(allowed)


class ResumableUpload(ClientError):
    """A request of a resumable upload (tus, IETF draft), which this path does not support."""


class NotHosted(ClientError):
    """A file alone, or a session, for a route whose files are relayed to ChatKitty."""


class OffsetMismatch(ClientError):
    """A request continues an upload at another offset than the upload has; both in bytes."""

    def __init__(self, expected: int, provided: int) -> None:
        super().__init__(f"the upload continues at byte {expected}, not at byte {provided}")
        self.expected = expected
        self.provided = provided


class ChecksumFailed(ClientError):
    """The content of a request does not have the checksum that came with it."""


class DigestMismatch(ClientError):
    """The content of a request does not have the digest that came with it (RFC 9530)."""


class SessionTaken(ClientError):
    """Another request has continued the upload in the meantime."""


class PartsLost(SessionTaken):
    """The bytes that the store had of an upload are gone, or have changed.

    `name` is the multipart upload's, or the tail's.
    """

    def __init__(self, name: str) -> None:
        super().__init__("the store no longer has the bytes that it received before")
        self.name = name


class SessionEnded(ClientError):
    """The upload was cancelled, has expired, or cannot be completed (RFC 9110 section 15.5.11)."""


class SessionUnreadable(Unavailable):
    """What is known of an upload in several requests is damaged, or of another version of ours.

    Its bytes are kept: an operator can repair or cancel it, or finish an upgrade.
    """


class InconsistentUploadLength(ClientError):
    """The requests of an upload disagree on its length, or one brings more than it announced."""


class UnsupportedContentType(ClientError):
    """A part of an upload that is not labelled as one (RFC 9110 section 15.5.16)."""


class UnsupportedTusVersion(ClientError):
    """A request with another version of tus than `supported`."""

    def __init__(self, detail: str, supported: str) -> None:
        super().__init__(detail)
        self.supported = supported


class WebSocketRefused(ClientError):
    """A handshake for a WebSocket, and these are switched off (RFC 9110 section 15.6.2)."""


# --- the body -----------------------------------------------------------------------------------


class MalformedUpload(ClientError):
    """The multipart body is broken, or two readers could read it differently."""


class MissingFile(ClientError):
    """There is no part named `file`."""


class SeveralFiles(ClientError):
    """More than one part named `file`; exactly one is accepted."""


class EmptyFile(ClientError):
    """The file has no bytes."""


class FileTooLarge(ClientError):
    """The file, or the body around it, exceeds the route's limit."""


class FormTooLarge(ClientError):
    """The parts next to the file exceed a limit: their number, their size or their headers."""


class InvalidField(ClientError):
    """An extra part cannot become a member of the external reference."""


class EncodedBody(ClientError):
    """The upload has a Content-Encoding, which the gateway never decodes."""


class UploadAborted(ClientError):
    """The client disconnected, or the body ended before it was complete."""


class BodyTimeout(ClientError):
    """The client stayed silent in the middle of a body, or sent it too slowly."""


# --- our own parts ------------------------------------------------------------------------------


class TooManyUploads(Unavailable):
    """This process has as many uploads open as it may have."""


class TooManyConnections(Unavailable):
    """This process, or the client's address, has as many connections as it may have."""


class TooManyWebSockets(Unavailable):
    """This process, or the client's address, has as many WebSockets open as it may have."""


class TooManyListeners(Unavailable):
    """This process has as many open event streams and long polls as it may have."""


class TooManyListenersOfSubject(Unavailable):
    """The subject has as many open event streams and long polls as it may have."""


class BudgetExhausted(Unavailable):
    """No memory is free for another upload."""


class StoreUnavailable(Unavailable):
    """The object store does not answer, or answers with an error of its own."""


class StoreUnfit(StoreUnavailable):
    """The object store does not honour conditional writes: an operator must replace it."""


class StoreIncapable(StoreUnavailable):
    """The object store does not implement the request."""


class WriteDisturbed(StoreUnavailable):
    """Two conditional writes of the same key met, and the store accepted neither."""


class PartChanged(StoreUnavailable):
    """The store has another part than the one that the multipart upload should have."""


class ObjectNotFound(GatewayError):
    """The store has no object under that key."""


class ObjectTooLarge(GatewayError):
    """An object that should be read at once is larger than any that the gateway writes."""


class PreconditionFailed(GatewayError):
    """A conditional write met another version of the object."""


class OfferLapsed(GatewayError):
    """The record that came with a task must not be used: only one in the bucket counts."""


class ChecksumMismatch(GatewayError):
    """The store received other bytes than the gateway sent."""


class PartLimitExceeded(GatewayError):
    """More bytes than an S3 multipart upload can hold."""


class QueueUnavailable(Unavailable):
    """The broker accepts no task now."""


class SnifferUnavailable(GatewayError):
    """No process can be started to identify a file."""


class IllegalTransition(GatewayError):
    """An upload's lifecycle does not allow this change of its state."""


class ConfigurationError(GatewayError):
    """Settings that cannot work; each line of the text is one fault."""


# --- the upstream -------------------------------------------------------------------------------


class UpstreamError(GatewayError):
    """ChatKitty did not do what the gateway asked.

    `outcome_unknown`: it may have done so anyway. `retryable`: the same request may succeed
    later. `retry_after`: seconds that ChatKitty asked us to wait, 0 if it did not.
    """

    def __init__(
        self,
        detail: str,
        *,
        retryable: bool = True,
        outcome_unknown: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(detail)
        self.retryable = retryable
        self.outcome_unknown = outcome_unknown
        self.retry_after = retry_after


class UpstreamUnavailable(UpstreamError):
    """No connection could be made, or it broke."""


class UpstreamTimeout(UpstreamError):
    """No answer came in time."""


class RecordNotKept(UpstreamError):
    """ChatKitty accepted an upload, but neither Redis nor the store accepts its record."""


class UpstreamRefused(UpstreamError):
    """ChatKitty answered with an error status."""

    def __init__(
        self, detail: str, status: int, *, retryable: bool, retry_after: float = 0.0
    ) -> None:
        super().__init__(detail, retryable=retryable, retry_after=retry_after)
        self.status = status
