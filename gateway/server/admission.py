"""All that is settled before an upload's body is asked for: identity, route, limits.

Nothing here reads the body, and `100 Continue` is sent only after it.
"""

from datetime import UTC, datetime

from aiohttp import web

from gateway.auth.bearer import bearer_token
from gateway.auth.principal import Principal
from gateway.auth.verifiers import Authenticator
from gateway.delivery.admitted import Admitted
from gateway.errors import (
    AuthenticationRequired,
    EncodedBody,
    ExpectationFailed,
    FileTooLarge,
    GrantRefused,
    MalformedRequest,
    MalformedUpload,
    TokenEndsTooSoon,
)
from gateway.multipart import declared_boundaries
from gateway.server.services import Services
from gateway.server.target import upstream_path
from gateway.settings import Delivery, Grants
from gateway.uploads.record import Target
from gateway.upstream.retry import RETRY_WINDOW

_GRANTED = Principal("grant")


async def admit(
    request: web.Request, services: Services, upload_id: str, request_id: str
) -> Admitted:
    """The upload, as one that may come in.

    Raises what refuses it: the errors of authentication, MalformedRequest, ExpectationFailed,
    EncodedBody, InvalidBoundary, MalformedUpload, FileTooLarge.
    """
    received_at = datetime.now(UTC)
    principal = await authenticate_upload(request, services)
    check_expectation(request)
    path = upstream_path(request.raw_path, str(services.settings.upstream_url))
    route = services.routes.match(path)
    if route.delivery is Delivery.EXTERNAL:
        _check_token_outlives_retries(principal, services, received_at.timestamp())
    boundaries = declared_boundaries(_content_type(request))
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise EncodedBody("send the multipart body as it is, without a Content-Encoding")
    body_limit = route.max_file_size + services.settings.max_form_size
    _check_length(request, body_limit)
    return Admitted(
        upload_id=upload_id,
        request_id=request_id,
        principal=principal,
        authorization=request.headers.get("Authorization"),
        route=route,
        target=Target(request.method, path),
        boundaries=boundaries,
        content_length=request.content_length,
        body_limit=body_limit,
        received_at=received_at,
    )


async def authenticate(request: web.Request, authenticator: Authenticator) -> Principal:
    """Who sends the request. Raises the errors of authentication."""
    token = bearer_token(request.headers.getall("Authorization", []))
    return await authenticator.authenticate(token)


async def authenticate_upload(request: web.Request, services: Services) -> Principal:
    """Who sends the upload; a runtime client may bear a grant alone, where that is relayed."""
    try:
        return await authenticate(request, services.authenticator)
    except AuthenticationRequired:
        if "Grant" not in request.headers:
            raise
    if services.settings.grants is not Grants.RELAY:
        raise GrantRefused("uploads by grant alone are not taken here: send a bearer token")
    return _GRANTED


def check_expectation(request: web.BaseRequest) -> None:
    """Raises ExpectationFailed for any expectation but `100-continue`."""
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise ExpectationFailed("only 100-continue can be expected")


def _content_type(request: web.Request) -> str:
    values = request.headers.getall("Content-Type", [])
    if len(values) != 1:
        raise MalformedRequest("send exactly one Content-Type header")
    return values[0]


def _check_token_outlives_retries(principal: Principal, services: Services, now: float) -> None:
    """Files are registered with the caller's token where the gateway has none of its own."""
    if services.backends.own_token is not None or principal.expires is None:
        return
    if principal.expires < now + RETRY_WINDOW:
        raise TokenEndsTooSoon("the token ends before the file is sure to be registered with it")


def _check_length(request: web.Request, limit: int) -> None:
    length = request.content_length
    if not request.body_exists or length == 0:
        raise MalformedUpload("the upload has no body")
    if length is not None and length > limit:
        raise FileTooLarge(f"the body is larger than the {limit} bytes that are taken here")
