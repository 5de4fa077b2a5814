"""What a request carries on its way through the handlers."""

from aiohttp import web

REQUEST_ID = web.RequestKey("request_id", str)
UPLOAD_ID = web.RequestKey("upload_id", str)
ANSWER = web.RequestKey("answer", web.StreamResponse)
"""The answer whose head was sent; from then on a fault can only cut it."""
