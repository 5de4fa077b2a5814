"""An upstream that writes down what it is sent, and answers with what a reader of its own sees."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from werkzeug.http import parse_options_header

from fuzz.oracles import werkzeug
from tests.flows.recorder import Recorder, Seen, recording

REFUSING_PATH = "/v1/channels/413/messages"
"""Where it refuses what it has read."""

_MESSAGE = {"id": 1, "type": "FILE"}


class Reading(Recorder):
    """Takes every request. Of a form it answers the file that Werkzeug finds in it."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.raw_path, _headers(request), body))
        if request.path == REFUSING_PATH:
            return web.json_response({"error": "upstream says no"}, status=413)
        content_type = request.headers.get("Content-Type", "")
        return web.json_response(_MESSAGE | _file(content_type, body))

    def take_at(self, path: str) -> list[Seen]:
        """What came at a path since the last look there."""
        taken = [seen for seen in self.seen if seen.target == path]
        self.seen = [seen for seen in self.seen if seen.target != path]
        return taken


@contextmanager
def reading() -> Iterator[Reading]:
    upstream = Reading()
    with recording(recorder=upstream):
        yield upstream


def _headers(request: web.Request) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in request.headers.items())


def _file(content_type: str, body: bytes) -> dict[str, Any]:
    _, options = parse_options_header(content_type)
    boundary = options.get("boundary", "").encode()
    for name, filename, data in (werkzeug(body, boundary) if boundary else None) or ():
        if name == "file" and filename is not None:
            return {"file": {"name": filename, "size": len(data)}}
    return {}


def file_of(content_type: str, body: bytes) -> dict[str, Any] | None:
    """The file that the upstream takes such a body for."""
    found: dict[str, Any] | None = json.loads(json.dumps(_file(content_type, body))).get("file")
    return found
