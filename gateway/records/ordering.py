"""Which request takes which hosted file with it: found by what names the file, without an index.

A message that is deleted, and a display picture that is replaced, are asked for before that
happens; the order to remove the file is durable before, too. Whether it happened, workers find out.
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
    """What is below ChatKitty's base URL at `path`, and names a file that it may soon not name."""

    cause: Cause
    path: str

    def url_in(self, document: Mapping[str, object]) -> object:
        """The URL of the file that ChatKitty's document names, if it names one."""
        if self.cause is Cause.PICTURE:
            return picture_of(document)
        file = document.get("file")
        return file.get("url") if isinstance(file, Mapping) else None


def doomed_by(method: str, path: str) -> Doomed | None:
    """What a request deletes or replaces that may name a file; `path` as routes match it. Pure."""
    if method == "DELETE" and _MESSAGE.fullmatch(path):
        return Doomed(Cause.MESSAGE, path)
    if method == "POST" and (endpoint := recognise(path)) is not None:
        return replaced_at(endpoint)
    return None


def replaced_at(endpoint: Endpoint) -> Doomed | None:
    """What an upload to the endpoint replaces: the user's display picture, or nothing. Pure."""
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
    """The order to remove the file that is named now; None if it is none of ours, or not shown.

    `sealed` is the caller's authorization, for the order. Raises UpstreamError where ChatKitty
    cannot tell now.
    """
    try:
        document = await chatkitty.get_json(doomed.path, {}, credentials)
    except UpstreamRefused as refused:
        if refused.retryable:
            raise
        return None  # a token that may not read it cannot change it either
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
    """In which application ChatKitty is asked so; None where it does not tell by these credentials.

    Raises UpstreamError where it cannot tell now.
    """
    try:
        identity = await chatkitty.whoami(credentials)
    except UpstreamError as error:
        if error.retryable:
            raise
        return None
    return identity.application_id if identity is not None else None
