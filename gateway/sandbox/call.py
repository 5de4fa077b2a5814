"""One request to the sandbox, as its operations see it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.sandbox import shapes
from gateway.sandbox.failures import client_error, not_found
from gateway.sandbox.faults import FaultRule
from gateway.sandbox.parsing import parsed
from gateway.sandbox.runtime import Runtime
from gateway.sandbox.shapes import Generation
from gateway.sandbox.state import Document, State, Table
from gateway.sandbox.tokens import Tokens

_SLICES_A_SECOND = 20
_LARGEST_JSON = 8 * 1024 * 1024


@dataclass(slots=True)
class Call:
    """A request with its context: the generation, the ids in its path, and the state."""

    request: web.Request
    state: State
    tokens: Tokens
    generation: Generation
    numbers: tuple[int, ...]
    fault: FaultRule
    runtime: Runtime
    received: int = field(default=0)

    @property
    def base(self) -> str:
        """The URL under which the client reached the sandbox."""
        return f"http://{self.request.host}"

    @property
    def is_form(self) -> bool:
        """Whether the body is a multipart form: the Content-Type is the only selector."""
        content_type = self.request.headers.get("Content-Type", "")
        return content_type.partition(";")[0].strip().lower() == "multipart/form-data"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, at the rate and up to the cut that a fault sets."""
        rate = self.fault.read_rate
        while True:
            if rate is None:
                chunk = await self.request.content.readany()
            else:
                chunk = await self.request.content.read(max(1, rate // _SLICES_A_SECOND))
                await asyncio.sleep(len(chunk) / rate)
            if not chunk:
                return
            self.received += len(chunk)
            if self.fault.cut_body_at is not None and self.received >= self.fault.cut_body_at:
                raise ConnectionResetError
            yield chunk

    async def json_body(self) -> Any:  # noqa: ANN401 - any JSON
        """The body as JSON, in camelCase. Raises Failure if it is none."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > _LARGEST_JSON:
                raise client_error("the body is too large")
        return shapes.understood(parsed(bytes(body), "the body"), self.generation)

    async def json_object(self) -> Document:
        """The body as a JSON object. Raises Failure if it is none."""
        body = await self.json_body()
        if not isinstance(body, dict):
            raise client_error("the body is not a JSON object")
        return body

    def find(self, table: Table, position: int = 0) -> Document:
        """The document that an id in the path names. Raises Failure if there is none."""
        if (document := self.state.get(table, self.numbers[position])) is None:
            raise not_found()
        return document

    def answer(self, document: Document, status: int = 200) -> web.Response:
        """The document in the spelling of the call's generation."""
        return web.json_response(shapes.spelt(document, self.generation), status=status)

    def application(self) -> web.Response:
        """The application, which deletions answer with."""
        (application,) = self.state.all(Table.APPLICATIONS)
        return self.answer(shapes.application(application, self.base))
