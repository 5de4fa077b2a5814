"""ChatKitty: whether it answers, and whether the gateway's own token may do what it is for."""

from typing import Final

from gateway.errors import ConfigurationError, UpstreamError, UpstreamRefused, UpstreamUnavailable
from gateway.uploads.backends import Backends
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.endpoints import recognise
from gateway.upstream.reference import ExternalFile, reference_body
from gateway.upstream.token import OwnToken

_NOBODY: Final = CallersOwn("Bearer nobody")
_FORBIDDEN: Final = 403

# Nothing has the id 0: who may not register is told so, and who may, that there is no such place.
_PLACES: Final = {
    "/v1/channels/0/messages": "create:message, read:channel and read:user",
    "/v1/threads/0/messages": "create:message, read:thread and read:user",
    "/v1/users/0/display-picture": "read:user and update:user",
}


async def check_upstream(backends: Backends) -> None:
    """Raises ConfigurationError with what to mend, or UpstreamError."""
    try:
        await backends.chatkitty.whoami(_NOBODY)
    except UpstreamUnavailable as error:
        raise ConfigurationError(
            f"{error}: mend GATEWAY_UPSTREAM_URL, or let this machine connect to it"
        ) from error
    if backends.own_token is not None:
        await _check_own_token(backends, backends.own_token)


async def _check_own_token(backends: Backends, own_token: OwnToken) -> None:
    try:
        await own_token.authorization()
    except UpstreamUnavailable as error:
        raise ConfigurationError(
            f"{error}: mend GATEWAY_UPSTREAM_TOKEN_URL, GATEWAY_UPSTREAM_CLIENT_ID and"
            " GATEWAY_UPSTREAM_CLIENT_SECRET"
        ) from error
    if await backends.chatkitty.whoami(own_token) is None:
        raise ConfigurationError(
            "ChatKitty does not accept the gateway's own token: let its client read:application"
        )
    for path, scopes in _PLACES.items():
        if not await _may_register(backends, own_token, path):
            raise ConfigurationError(
                f"the gateway's own token may not register files at {path}: let its client {scopes}"
            )


async def _may_register(backends: Backends, own_token: OwnToken, path: str) -> bool:
    endpoint = recognise(path)
    if endpoint is None:
        raise UpstreamError(f"{path} takes no files")
    file = ExternalFile(str(backends.settings.public_url), "doctor", "text/plain", 1)
    try:
        await backends.chatkitty.register(endpoint, reference_body(endpoint, file, ()), own_token)
    except UpstreamRefused as refused:
        return refused.status != _FORBIDDEN
    return True
