"""Which headers go on, in either direction. Pure."""

import re
from collections.abc import Iterable

from multidict import CIMultiDict, CIMultiDictProxy

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110 section 7.6.1, and what earlier documents had in its place."""

_NOT_FOR_THE_UPSTREAM = frozenset(
    {"host", "expect", "forwarded", "x-real-ip", "upload-id", "x-request-id", "idempotency-key"}
)
_NOT_FROM_THE_UPSTREAM = frozenset({"upload-id", "x-request-id"})
_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def to_upstream(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """A request's headers for the upstream: the end-to-end ones, less all that names a client.

    No proxy in front is trusted yet, so what says where a request came from is left out.
    """
    dropped = _NOT_FOR_THE_UPSTREAM | _listed(received)
    return CIMultiDict(
        (name, value)
        for name, value in received.items()
        if (plain := name.lower().replace("_", "-")) not in dropped
        and not plain.startswith("x-forwarded-")
    )


def of_relay(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """An upload's headers for the upstream; its answer is to come as the audit can read it."""
    outgoing = to_upstream(received)
    outgoing["Accept-Encoding"] = "identity"
    return outgoing


def to_client(answered: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """An answer's headers for the client: the end-to-end ones."""
    dropped = _NOT_FROM_THE_UPSTREAM | _listed(answered)
    return CIMultiDict(
        (name, value) for name, value in answered.items() if name.lower() not in dropped
    )


def request_id(received: str | None) -> str | None:
    """The client's own request id, where it is one that may be logged and sent back."""
    return received if received is not None and _REQUEST_ID.fullmatch(received) else None


def _listed(headers: CIMultiDictProxy[str]) -> frozenset[str]:
    """Hop-by-hop headers, and those that Connection names as such."""
    options: Iterable[str] = ",".join(headers.getall("Connection", ())).split(",")
    return _HOP_BY_HOP | {option.strip().lower() for option in options}
