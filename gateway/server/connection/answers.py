"""Turns a problem into an answer: the only place that makes its document."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from gateway.problems import MEDIA_TYPE, Problem, members
from gateway.server.connection.context import REQUEST_ID, UPLOAD_ID

SERVER_FAULT: Final = 500
"""The lowest status of a server error."""


def problem_response(request: web.Request, problem: Problem, **extensions: object) -> web.Response:
    """The problem as an answer to this request; `extensions` are members of its document."""
    status, headers, body = document_of(problem, {**ids_of(request), **extensions})
    return web.Response(status=status, headers=headers, body=body)


def ids_of(request: web.Request) -> dict[str, str]:
    """The ids that log events name a request by: its own, and its upload's if it is one."""
    ids = {"request_id": request[REQUEST_ID]}
    if UPLOAD_ID in request:
        ids["upload_id"] = request[UPLOAD_ID]
    return ids


def document_of(problem: Problem, ids: Mapping[str, object]) -> tuple[int, dict[str, str], bytes]:
    """The problem as status, headers and body; `ids` are members of its document."""
    document = json.dumps(members(problem, datetime.now(UTC), ids)).encode()
    headers = {**problem.headers, "Content-Type": f"{MEDIA_TYPE}; charset=utf-8"}
    return problem.kind.status, headers, document
