"""The sandbox's application: operations, token endpoint, faults, log of requests, and its page."""

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from gateway.sandbox.call import Call
from gateway.sandbox.failures import Failure, client_error, not_allowed, not_found, unauthorized
from gateway.sandbox.faults import Faults, InvalidRule, Rule
from gateway.sandbox.operations import GRANT, OPEN, OPERATIONS, Operation
from gateway.sandbox.page import CHOICES, HEADERS, page
from gateway.sandbox.runtime import Runtime
from gateway.sandbox.shapes import Generation
from gateway.sandbox.state import APPLICATION_ID, State
from gateway.sandbox.tokens import Tokens

LOGGED_REQUESTS: Final = 10_000

_PREFIX: Final = re.compile(r"(/v1)?(?:/applications/[0-9]+)?(?=/)")

_HEADERS: Final = {
    "x-api-version": "v1.10.11",
    "x-content-type-options": "nosniff",
    "x-xss-protection": "1; mode=block",
    "x-frame-options": "DENY",
    "cache-control": "no-cache, no-store, max-age=0, must-revalidate",
    "pragma": "no-cache",
    "expires": "0",
    "vary": "origin,access-control-request-method,access-control-request-headers,accept-encoding",
}


@dataclass(slots=True)
class Sandbox:
    """The sandbox behind its URLs."""

    state: State
    tokens: Tokens
    faults: Faults
    runtime: Runtime
    log: deque[dict[str, Any]]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as ChatKitty does, or fail as a rule says."""
        started = time.monotonic()
        fault = self.faults.for_request(request.method, request.path)
        generation = Generation.CURRENT
        call = Call(request, self.state, self.tokens, generation, (), fault, self.runtime)
        response: web.StreamResponse | None = None
        try:
            await asyncio.sleep(fault.delay)
            if fault.cut == "before":
                raise ConnectionResetError
            response = await self._act(call)
            if fault.cut == "after":
                raise ConnectionResetError
        except ConnectionResetError:
            if request.transport is not None:
                request.transport.abort()
            raise
        finally:
            self.log.append(
                {
                    "method": request.method,
                    "path": request.path,
                    "status": response.status if response is not None else None,
                    "seconds": round(time.monotonic() - started, 6),
                    "bytes": call.received,
                }
            )
        response.headers.update(_HEADERS)
        response.headers["x-response-token"] = uuid4().hex.upper()
        return response

    async def _act(self, call: Call) -> web.StreamResponse:
        fault = call.fault
        if fault.status is not None:
            if fault.status < HTTPStatus.BAD_REQUEST:  # a refusal alone comes before the body
                async for _ in call.chunks():
                    pass
            return web.Response(
                status=fault.status,
                text=fault.body or "",
                headers={"Content-Type": "application/json", **fault.headers},
            )
        try:
            operation = self._operation_of(call)
            self._check(call, operation)
            if (stranger := self.tokens.application_of(call.request)) != APPLICATION_ID:
                return _of_a_stranger(call, operation, stranger)
            return await operation.handler(call)
        except Failure as failure:
            return web.json_response(failure.document, status=failure.status)

    def _operation_of(self, call: Call) -> Operation:
        """The operation that the path names; the call learns its generation and ids."""
        path = call.request.path
        prefix = _PREFIX.match(path)
        if prefix is not None:
            path = path[prefix.end() :]
            call.generation = Generation.V1 if prefix[1] else Generation.CURRENT
        matches = [
            (operation, match)
            for operation in OPERATIONS
            if (match := operation.pattern.fullmatch(path))
        ]
        for operation, match in matches:
            if operation.method == call.request.method:
                call.numbers = tuple(int(number) for number in match.groups())
                return operation
        raise not_allowed() if matches else not_found()

    def _check(self, call: Call, operation: Operation) -> None:
        if operation.scopes == GRANT:
            if not call.request.headers.get("Grant"):
                raise unauthorized()
        elif operation.scopes != OPEN:
            self.tokens.check(call.request, tuple(operation.scopes.split()))

    async def put_faults(self, request: web.Request) -> web.Response:
        """`PUT /sandbox/faults`."""
        try:
            rules = [Rule.parse(rule) for rule in await request.json()]
        except (InvalidRule, ValueError, TypeError, RecursionError) as error:
            return web.json_response(client_error(str(error)).document, status=400)
        self.faults.rules = rules
        return await self.get_faults(request)

    async def get_faults(self, _: web.Request) -> web.Response:
        """`GET /sandbox/faults`: what is left of each."""
        return web.json_response([rule.shown() for rule in self.faults.rules])

    async def delete_faults(self, request: web.Request) -> web.Response:
        """`DELETE /sandbox/faults`."""
        self.faults.rules = []
        return await self.get_faults(request)

    async def show_page(self, _: web.Request) -> web.Response:
        """`GET /sandbox`: for a browser."""
        text = page(self.faults.rules, list(self.log))
        return web.Response(text=text, content_type="text/html", headers=HEADERS)

    async def choose(self, request: web.Request) -> web.Response:
        """`POST /sandbox`: a button of that page; no page of another site may press it."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise web.HTTPForbidden
        choice = (await request.post()).get("choice")
        if not isinstance(choice, str) or choice not in CHOICES:
            raise web.HTTPBadRequest
        _, rules = CHOICES[choice]
        self.faults.rules = [Rule.parse(rule) for rule in rules]
        raise web.HTTPSeeOther("/sandbox")

    async def get_requests(self, _: web.Request) -> web.Response:
        """`GET /sandbox/requests`: the last ones, oldest first."""
        return web.json_response(list(self.log))

    async def delete_requests(self, request: web.Request) -> web.Response:
        """`DELETE /sandbox/requests`."""
        self.log.clear()
        return await self.get_requests(request)


def _of_a_stranger(call: Call, operation: Operation, application_id: int) -> web.Response:
    """The answer to a token of another application, in which there is nothing."""
    if operation.method != "GET" or not operation.pattern.fullmatch("/application"):
        raise not_found()
    return call.answer({"id": application_id})


def create_app(sandbox: Sandbox) -> web.Application:
    """The URLs of ChatKitty, and those of the controls."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/sandbox/healthz", healthz)
    app.router.add_get("/sandbox", sandbox.show_page)
    app.router.add_post("/sandbox", sandbox.choose)
    app.router.add_put("/sandbox/faults", sandbox.put_faults)
    app.router.add_get("/sandbox/faults", sandbox.get_faults)
    app.router.add_delete("/sandbox/faults", sandbox.delete_faults)
    app.router.add_get("/sandbox/requests", sandbox.get_requests)
    app.router.add_delete("/sandbox/requests", sandbox.delete_requests)
    app.router.add_route("*", "/{path:.*}", sandbox.answer)
    return app
