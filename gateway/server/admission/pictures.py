"""Whose display picture a hosted upload is: its path names a user by an id, its token by a name."""

from typing import Final

from gateway.backends import Backends
from gateway.choices import Delivery
from gateway.delivery.admitted import Admitted
from gateway.errors import AnotherUser, UpstreamError, UpstreamRefused, VerifierUnavailable
from gateway.upstream.credentials import CallersOwn, Credentials
from gateway.upstream.endpoints import Endpoint, EndpointKind

_NOT_FOUND: Final = 404


async def check_picture(admitted: Admitted, backends: Backends) -> None:
    """See that a token of one user changes no other's picture, before the body is taken.

    Asks ChatKitty what the user of the path is called. Raises AnotherUser, or VerifierUnavailable
    if ChatKitty cannot be asked now.
    """
    endpoint, user = admitted.route.endpoint, admitted.principal.acts_as
    hosted = admitted.route.delivery is Delivery.EXTERNAL
    if (
        not hosted
        or user is None
        or endpoint is None
        or endpoint.kind is not EndpointKind.DISPLAY_PICTURE
    ):
        return
    try:
        name = await _name(endpoint, backends, _credentials(admitted, backends))
    except UpstreamError as error:
        raise VerifierUnavailable(
            "ChatKitty cannot confirm right now whose display picture this is", error.retry_after
        ) from error
    if name is None or name != user.username:
        raise AnotherUser("the display picture belongs to another user than the token")


async def _name(endpoint: Endpoint, backends: Backends, credentials: Credentials) -> str | None:
    """The user's name; None if there is no such user."""
    try:
        found = await backends.chatkitty.get_json(endpoint.path.rpartition("/")[0], {}, credentials)
    except UpstreamRefused as refused:
        if refused.status == _NOT_FOUND:
            return None
        raise
    name = found.get("name")
    return name if isinstance(name, str) else None


def _credentials(admitted: Admitted, backends: Backends) -> Credentials:
    """The credentials that the picture will be registered with."""
    return backends.own_token or CallersOwn(admitted.authorization or "")
