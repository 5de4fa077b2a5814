"""The private names of aiobotocore that are used."""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, cast

from botocore.awsrequest import AWSPreparedRequest
from botocore.model import OperationModel

__all__ = ["HttpResponse", "HttpSession", "http_session_of", "resolve_endpoint"]


class HttpResponse(Protocol):
    """An answer; the names of its headers are in lower case."""

    status_code: int
    headers: Mapping[str, str]
    raw: Any

    @property
    def content(self) -> Awaitable[bytes]:
        """The whole body."""


class HttpSession(Protocol):
    """What aiobotocore sends its requests by."""

    async def send(self, request: AWSPreparedRequest) -> HttpResponse:
        """Send it, and read the body of its answer as well unless it is to be streamed.

        Raises BotoCoreError if no answer arrives.
        """


def http_session_of(client: object) -> HttpSession:
    """The session of a client of aiobotocore, which ends with the client."""
    return cast(HttpSession, cast(Any, client)._endpoint.http_session)


async def resolve_endpoint(
    client: object,
    operation: OperationModel,
    params: dict[str, Any],
    context: dict[str, Any],
) -> str:
    """The URL that such a client sends such a call to; `context` gets how the call is signed.

    Raises BotoCoreError.
    """
    url: str
    url, _, _ = await cast(Any, client)._resolve_endpoint_ruleset(operation, params, context)
    return url
