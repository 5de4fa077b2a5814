"""What a Python team would write: Starlette parses the form to a temporary file, httpx sends it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_upstream = sys.argv[2] if len(sys.argv) > 2 else ""


async def relay(request: Request) -> Response:
    async with request.form() as form:
        uploads = [
            (name, (part.filename, part.file, part.content_type))
            for name, part in form.multi_items()
            if not isinstance(part, str)
        ]
        fields = {name: part for name, part in form.multi_items() if isinstance(part, str)}
        answer = await request.app.state.client.post(
            _upstream + request.url.path,
            files=uploads,
            data=fields,
            headers={"Authorization": request.headers.get("authorization", "")},
        )
    return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])


async def ready(_: Request) -> Response:
    return PlainTextResponse("ready")


@asynccontextmanager
async def open_client(app: Starlette) -> AsyncIterator[None]:
    async with httpx.AsyncClient(timeout=60) as client:
        app.state.client = client
        yield


app = Starlette(
    routes=[Route("/", ready), Route("/{path:path}", relay, methods=["POST"])],
    lifespan=open_client,
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
