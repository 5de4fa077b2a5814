"""A request's head in the form that decisions need, whichever parser read it."""

import msgspec
from aiohttp import web
from multidict import CIMultiDictProxy


class Head(msgspec.Struct, frozen=True):
    """`target` is the path and query as the client wrote them, `content_length` is in bytes.

    `content_length` is None if the body is chunked, or if there is none.
    """

    method: str
    target: str
    headers: CIMultiDictProxy[str]
    content_length: int | None
    has_body: bool


def head_of(request: web.BaseRequest) -> Head:
    """The head of a request that aiohttp's handler has."""
    return Head(
        request.method,
        request.raw_path,
        request.headers,
        request.content_length,
        request.body_exists,
    )
