"""What is stored with a request on its way through the handlers."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from multidict import CIMultiDictProxy, istr
from uuid_utils import uuid4

from gateway.limits.shared_quota import Ticket
from gateway.server.fields import headers

SERVER: Final = "chatkitty-gateway"
"""The `Server` header of answers: without versions, which strangers need not know."""

_REQUEST_ID: Final = istr("X-Request-Id")

REQUEST_ID = web.RequestKey("request_id", str)
UPLOAD_ID = web.RequestKey("upload_id", str)
CONTINUED = web.RequestKey("continued", bool)
"""The client received `100 Continue`, and sends its body."""
TICKET = web.RequestKey("ticket", Ticket)
"""The request's share of its subject's quota, if there is a quota."""

MARKS = web.RequestKey("marks", Mapping[str, str])
"""What every answer to the request says of an upload that comes in several requests."""

PARTIAL = web.RequestKey("partial", bool)
"""Whether more of the upload is to come by other requests: the last one counts as the upload."""

TARGET = web.RequestKey("target", str)
"""The upstream path and query of an upload that was sent to a path of the gateway's own."""

ANSWER = web.RequestKey("answer", web.StreamResponse)
"""The answer, once its head was sent; from then on an error can only cut it off."""
ENDED = web.RequestKey("ended", str)
"""How a request ended, if not with its answer."""


def request_id_of(received: CIMultiDictProxy[str]) -> str:
    """The client's own request id if it may be logged and sent back, else a new one."""
    return headers.request_id(received.get(_REQUEST_ID)) or new_request_id()


def new_request_id() -> str:
    """An id for a request that brought none."""
    return uuid4().hex
