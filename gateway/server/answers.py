"""A problem as an answer: the one place where its document is made."""

import json
from datetime import UTC, datetime

from aiohttp import web

from gateway.problems import MEDIA_TYPE, Problem, members
from gateway.server.context import REQUEST_ID, UPLOAD_ID


def problem_response(request: web.Request, problem: Problem) -> web.Response:
    """The problem as an answer to this request."""
    ids = {"request_id": request[REQUEST_ID]}
    if UPLOAD_ID in request:
        ids["upload_id"] = request[UPLOAD_ID]
    return web.Response(
        status=problem.kind.status,
        headers=problem.headers,
        text=json.dumps(members(problem, datetime.now(UTC), ids)),
        content_type=MEDIA_TYPE,
    )
