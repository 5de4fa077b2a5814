"""All decisions before an upload's body is requested: identity, route, limits.

Nothing here reads the body, and `100 Continue` is sent only after it.
"""

import time
from datetime import UTC, datetime
from typing import Final

import msgspec
from aiohttp import hdrs, web
from multidict import CIMultiDictProxy

from gateway.auth.bearer import bearer_token
from gateway.auth.principal import Principal
from gateway.auth.verifiers import Authenticator
from gateway.choices import Delivery, Grants
from gateway.delivery.admitted import NAMES_NO_USER, Admitted
from gateway.errors import (
    AnotherUser,
    AuthenticationRequired,
    EncodedBody,
    ExpectationFailed,
    FileTooLarge,
    GrantRefused,
    InsufficientScope,
    MalformedRequest,
    MalformedUpload,
    MethodNotAllowed,
    NotHosted,
    RouteNotFound,
    TokenEndsTooSoon,
)
from gateway.multipart import Declared, declared_boundaries, is_multipart_form
from gateway.routes import Route
from gateway.server.fields.head import Head
from gateway.server.fields.hosts import is_files_host
from gateway.server.fields.resumption import check_whole
from gateway.server.services import Services
from gateway.uploads.record import Target
from gateway.upstream.retry import RETRY_WINDOW

_BRINGING: Final = frozenset({"POST", "PUT", "PATCH"})

GRANTED = Principal("grant")
"""The subject of all requests with only a grant."""

_NOT_HOSTED: Final = (
    "files for this path are relayed to ChatKitty, which accepts only one multipart request: send"
    " that to the path itself"
)


def is_upload(head: Head) -> bool:
    """Whether a request to ChatKitty is an upload.

    There is, or should be, a body: some clients send its type without a body.
    """
    may_bring = head.has_body or head.method in _BRINGING
    return may_bring and is_multipart_form(head.headers.get(hdrs.CONTENT_TYPE, ""))


def settle(
    head: Head, principal: Principal, services: Services, upload_id: str, request_id: str
) -> Admitted:
    """Decide by the rest of the head, once the caller is known. Does no I/O.

    Raises MalformedTarget, RouteNotFound, MethodNotAllowed, MalformedRequest, ExpectationFailed,
    ResumableUpload, InsufficientScope, GrantRefused, AnotherUser, TokenEndsTooSoon, EncodedBody,
    InvalidBoundary, MalformedUpload, FileTooLarge.
    """
    check_expectation(head.headers)
    check_whole(head.headers)
    admitted = _settle_form(_Asked(head, principal, upload_id, request_id), services)
    _check_length(head, admitted.body_limit)
    return admitted


def settle_parts(
    head: Head, principal: Principal, services: Services, upload_id: str, request_id: str
) -> Admitted:
    """Decide on a form that may come in several requests, of which this is the first. Does no I/O.

    Raises what `settle` raises but for its length, and MalformedUpload for several boundaries.
    """
    check_expectation(head.headers)
    admitted = _settle_form(_Asked(head, principal, upload_id, request_id), services)
    if len(admitted.boundaries.candidates) > 1:
        raise MalformedUpload(
            "the Content-Type declares several boundaries: declare one, or send the whole form in"
            " one request"
        )
    return admitted


def _settle_form(asked: "_Asked", services: Services) -> Admitted:
    head = asked.head
    target = Target(head.method, head.target)
    route = _route_of(head, target, asked.principal, services)
    boundaries = declared_boundaries(_content_type(head.headers))
    check_encoding(head.headers)
    return _admitted(asked, services, route, target, boundaries)


def settle_file(
    head: Head,
    target: Target,
    principal: Principal,
    services: Services,
    upload_id: str,
    request_id: str,
) -> Admitted:
    """Decide on an upload to `target` with a body that is the file itself. Does no I/O.

    Raises NotHosted if the route does not host files, and what `settle` raises but for the form.
    """
    check_expectation(head.headers)
    route = _route_of(head, target, principal, services)
    if route.delivery is not Delivery.EXTERNAL:
        raise NotHosted(_NOT_HOSTED)
    check_encoding(head.headers)
    asked = _Asked(head, principal, upload_id, request_id)
    return _admitted(asked, services, route, target, Declared(()))


class _Asked(msgspec.Struct, frozen=True):
    """A request for an upload, and its caller."""

    head: Head
    principal: Principal
    upload_id: str
    request_id: str


def _admitted(
    asked: _Asked, services: Services, route: Route, target: Target, boundaries: Declared
) -> Admitted:
    ends = asked.principal.expires
    return Admitted(
        upload_id=asked.upload_id,
        request_id=asked.request_id,
        principal=asked.principal,
        authorization=asked.head.headers.get(hdrs.AUTHORIZATION),
        route=route,
        target=target,
        boundaries=boundaries,
        content_length=asked.head.content_length,
        body_limit=route.max_file_size + services.settings.max_form_size,
        received_at=datetime.now(UTC),
        token_until=None if ends is None else datetime.fromtimestamp(ends, UTC),
        body_until=None if ends is None else ends + services.settings.auth_upload_grace,
    )


async def authenticate(request: web.Request, services: Services) -> Principal:
    """The caller. Raises the errors of authentication."""
    token = _token(request.headers)
    if (principal := services.authenticator.recall(token)) is not None:
        return principal
    client = services.client_of(request.protocol.peername, request.headers)
    return await services.authenticator.authenticate(token, client)


def recall(headers: CIMultiDictProxy[str], authenticator: Authenticator) -> Principal | None:
    """The sender of the request, if the token was accepted recently; asks no verifier.

    Raises AuthenticationRequired, MalformedAuthorization.
    """
    return authenticator.recall(_token(headers))


def check_scopes(principal: Principal, needed: frozenset[str]) -> None:
    """Raises InsufficientScope if the token lacks a needed scope."""
    if not needed <= principal.scopes:
        raise InsufficientScope("the token does not allow this", needed)


async def authenticate_upload(request: web.Request, services: Services) -> Principal:
    """The sender of the upload; a runtime client may have only a grant, if those are relayed."""
    try:
        return await authenticate(request, services)
    except AuthenticationRequired:
        if "Grant" not in request.headers:
            raise
    if services.settings.grants is not Grants.RELAY:
        raise GrantRefused("uploads with only a grant are not accepted here: send a bearer token")
    return GRANTED


def check_expectation(headers: CIMultiDictProxy[str]) -> None:
    """Raises ExpectationFailed for any expectation but `100-continue`."""
    if hdrs.EXPECT in headers and _elements(headers, hdrs.EXPECT) != {"100-continue"}:
        raise ExpectationFailed("the only supported expectation is 100-continue")


def grant_of(headers: CIMultiDictProxy[str]) -> str:
    """The request's `Grant`; of several lines, all of them, as no single one can be."""
    return "\n".join(headers.getall("Grant"))


def _elements(headers: CIMultiDictProxy[str], name: str) -> set[str]:
    """The elements of a list (RFC 9110 section 5.6.1) in lower case, however many lines it has."""
    return {each.strip(" \t").lower() for each in ",".join(headers.getall(name)).split(",")}


def _token(headers: CIMultiDictProxy[str]) -> str:
    return bearer_token(headers.getall(hdrs.AUTHORIZATION, []))


def _content_type(headers: CIMultiDictProxy[str]) -> str:
    values = headers.getall(hdrs.CONTENT_TYPE, [])
    if len(values) != 1:
        raise MalformedRequest("send exactly one Content-Type header")
    return values[0]


def _route_of(head: Head, target: Target, principal: Principal, services: Services) -> Route:
    """The route of an upload to `target`, which its sender may use."""
    if is_files_host(services.settings, head.headers.get(hdrs.HOST, "")):
        raise RouteNotFound("there is nothing under this path")
    route = services.route_of(target.path)
    if route.scopes:
        check_scopes(principal, route.scopes)
    if route.delivery is Delivery.EXTERNAL:
        _check_method(target.method, route)
        check_may_host(principal, services)
    return route


def check_may_host(principal: Principal, services: Services) -> None:
    """Refuse callers for whom the gateway cannot register a file.

    Raises GrantRefused, AnotherUser, TokenEndsTooSoon.
    """
    _check_may_be_hosted(principal)
    _check_token_outlives_retries(principal, services, time.time())


def _check_may_be_hosted(principal: Principal) -> None:
    """Refuse callers for whom the gateway's own credentials would act as no user, or as any user.

    Raises GrantRefused, AnotherUser.
    """
    if principal is GRANTED:
        raise GrantRefused(
            "this gateway hosts files, which a grant does not allow: send a bearer token"
        )
    if principal.acts_as is not None and principal.acts_as.username is None:
        raise AnotherUser(NAMES_NO_USER)


def _check_token_outlives_retries(principal: Principal, services: Services, now: float) -> None:
    """Refuse a caller's token that may expire before the file is registered with it."""
    if services.backends.own_token is not None or principal.expires is None:
        return
    if principal.expires < now + RETRY_WINDOW:
        raise TokenEndsTooSoon(
            "the token expires too soon: registering the file may be retried for up to an hour"
        )


def _check_method(method: str, route: Route) -> None:
    """A hosted file is registered by a POST, so no other method may ask for that."""
    if method != "POST":
        allowed = route.endpoint.methods if route.endpoint is not None else ("POST",)
        raise MethodNotAllowed("send files to this path with POST", allowed)


def check_encoding(headers: CIMultiDictProxy[str]) -> None:
    """Raises EncodedBody for any coding of the content but `identity`."""
    name = hdrs.CONTENT_ENCODING
    if name in headers and _elements(headers, name) != {"identity"}:
        raise EncodedBody("send the body as it is, without a Content-Encoding")


def _check_length(head: Head, limit: int) -> None:
    length = head.content_length
    if not head.has_body or length == 0:
        raise MalformedUpload("the upload has no body")
    if length is not None and length > limit:
        raise FileTooLarge(f"the body exceeds the limit of {limit} bytes")
