"""Finds out which request removes which hosted file, by asking ChatKitty instead of an index.

Before a message is deleted or a display picture is replaced, ChatKitty is asked which file it
names, and the order to remove that file is made durable. Workers find out whether the request
succeeded.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.crypto import KeyRing
from gateway.errors import UpstreamError, UpstreamRefused
from gateway.records.removals import Order, uploads_in
from gateway.uploads.record import Cause
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Endpoint, EndpointKind, recognise
from gateway.upstream.users import picture_of

_MESSAGE: Final = re.compile(r"(?:/v1)?(?:/applications/[0-9]{1,19})?/messages/[0-9]{1,19}")


class Doomed(NamedTuple):
    """A resource at `path` below ChatKitty's base URL that may soon stop naming its file."""

    cause: Cause
    path: str

    def url_in(self, document: Mapping[str, object]) -> object:
        """The URL of the file that ChatKitty's document names, if it names one."""
        if self.cause is Cause.PICTURE:
            return picture_of(document)
        file = document.get("file")
        return file.get("url") if isinstance(file, Mapping) else None


def doomed_by(method: str, path: str) -> Doomed | None:
    """The resource that a request deletes or replaces; `path` as routes match it. Pure."""
    if method == "DELETE" and _MESSAGE.fullmatch(path):
        return Doomed(Cause.MESSAGE, path)
    if method == "POST" and (endpoint := recognise(path)) is not None:
        return replaced_at(endpoint)
    return None


def replaced_at(endpoint: Endpoint) -> Doomed | None:
    """The resource that an upload replaces: the user's display picture, or None. Pure."""
    if endpoint.kind is not EndpointKind.DISPLAY_PICTURE:
        return None
    return Doomed(Cause.PICTURE, endpoint.path.rpartition("/")[0])


async def order_for(
    chatkitty: ChatKitty,
    ring: KeyRing,
    doomed: Doomed,
    credentials: Credentials,
    sealed: str | None,
) -> Order | None:
    """The order to remove the file named now; None if the file is not ours, or is not shown.

    `sealed` is the caller's authorization, for the order. Raises UpstreamError if ChatKitty
    cannot answer now.
    """
    try:
        document = await chatkitty.get_json(doomed.path, {}, credentials)
    except UpstreamRefused as refused:
        if refused.retryable:
            raise
        return None  # a token that may not read the resource cannot change it either
    named = uploads_in(doomed.url_in(document), ring)
    if len(named) != 1:
        return None
    (upload_id,) = named
    return Order(
        upload_id=upload_id,
        cause=doomed.cause,
        path=doomed.path,
        authorization=sealed,
        application=await application_of(chatkitty, credentials),
    )


async def application_of(chatkitty: ChatKitty, credentials: Credentials) -> int | None:
    """The id of the application of these credentials; None if ChatKitty does not reveal it.

    Raises UpstreamError if it cannot answer now.
    """
    try:
        identity = await chatkitty.whoami(credentials)
    except UpstreamError as error:
        if error.retryable:
            raise
        return None
    return identity.application_id if identity is not None else None
