"""ChatKitty: whether it answers, and whether the gateway's own token allows what it is used for."""

from typing import Final

from gateway.backends import Backends
from gateway.doctor.network import Server, why_unreachable
from gateway.errors import (
    ConfigurationError,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.endpoints import recognise
from gateway.upstream.reference import ExternalFile, reference_body
from gateway.upstream.token import OwnToken

_NOBODY: Final = CallersOwn("Bearer nobody")
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_THEIR_FAULT: Final = 500
_REDIRECTS: Final = range(300, 400)
_CORRECT_URL: Final = "correct GATEWAY_UPSTREAM_URL"
_SERVER: Final = Server("ChatKitty", "GATEWAY_UPSTREAM_URL")
_TOKENS: Final = Server("ChatKitty's token endpoint", "GATEWAY_UPSTREAM_TOKEN_URL")

# Nothing has the id 0: the answer to a token that may not register differs from "not found".
_PLACES: Final = {
    "/v1/channels/0/messages": "create:message, read:channel and read:user",
    "/v1/threads/0/messages": "create:message, read:thread and read:user",
    "/v1/users/0/display-picture": "read:user and update:user",
}


async def check_upstream(backends: Backends) -> None:
    """Raises ConfigurationError with what to do."""
    try:
        known = await backends.chatkitty.whoami(_NOBODY)
    except UpstreamError as error:
        raise ConfigurationError(_fault(error)) from error
    if known is not None:
        raise ConfigurationError(f"an invented token was accepted: {_CORRECT_URL}")
    if backends.own_token is not None:
        try:
            await _check_own_token(backends, backends.own_token)
        except UpstreamError as error:
            raise ConfigurationError(_fault(error)) from error


def _fault(error: UpstreamError) -> str:
    """What is wrong with the server that should be ChatKitty, and what to do. Pure."""
    if isinstance(error, UpstreamRefused):
        if error.status == _TOO_MANY:
            return f"{error}: try again later, and see how many requests its plan allows"
        if error.status >= _THEIR_FAULT:
            return f"{error}: wait, and look at ChatKitty's own status page"
        if error.status in _REDIRECTS:
            return f"{error}, which is a redirect: {_CORRECT_URL}, most likely to https://"
        return f"{error}, so this is probably not ChatKitty: {_CORRECT_URL}"
    if isinstance(error, UpstreamUnavailable | UpstreamTimeout):
        return why_unreachable(error, _SERVER) or f"{error}: {_CORRECT_URL}"
    return f"{error}: {_CORRECT_URL}"


async def _check_own_token(backends: Backends, own_token: OwnToken) -> None:
    try:
        await own_token.authorization()
    except UpstreamError as error:
        raise ConfigurationError(_fault_of_token(error)) from error
    if await backends.chatkitty.whoami(own_token) is None:
        raise ConfigurationError(
            "ChatKitty does not accept the gateway's own token: give its client the scope"
            " read:application"
        )
    for path, scopes in _PLACES.items():
        if not await _may_register(backends, own_token, path):
            raise ConfigurationError(
                f"the gateway's own token may not register files at {path}: give its client the"
                f" scopes {scopes}"
            )


def _fault_of_token(error: UpstreamError) -> str:
    if line := why_unreachable(error, _TOKENS):
        return line
    if "refused" in str(error):
        return f"{error}: correct GATEWAY_UPSTREAM_CLIENT_ID and GATEWAY_UPSTREAM_CLIENT_SECRET"
    return f"{error}: correct GATEWAY_UPSTREAM_TOKEN_URL"


async def _may_register(backends: Backends, own_token: OwnToken, path: str) -> bool:
    endpoint = recognise(path)
    if endpoint is None:
        raise UpstreamError(f"no files can be registered at {path}")
    file = ExternalFile(str(backends.settings.public_url), "doctor", "text/plain", 1)
    try:
        await backends.chatkitty.register(endpoint, reference_body(endpoint, file, ()), own_token)
    except UpstreamRefused as refused:
        return refused.status != _FORBIDDEN
    return True
