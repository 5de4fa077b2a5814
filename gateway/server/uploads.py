"""An upload's way through the gateway: admitted, delivered, answered."""

from collections.abc import AsyncIterator

from aiohttp import web

from gateway.delivery.admitted import Admitted
from gateway.problems import failure, rejection
from gateway.server import headers
from gateway.server.admission import admit
from gateway.server.answers import problem_response
from gateway.server.body import read_body, send_continue
from gateway.server.context import REQUEST_ID, UPLOAD_ID
from gateway.server.head import head_of
from gateway.server.prefer import preference
from gateway.server.resources import resource_of, upload_location
from gateway.server.services import SERVICES, Services
from gateway.server.streaming import stream_answer
from gateway.settings import Delivery
from gateway.telemetry import bind_ids
from gateway.uploads.ids import new_id
from gateway.uploads.record import State, Upload


async def take_upload(request: web.Request) -> web.StreamResponse:
    """Answer a multipart request to the upstream, in the delivery that its route has."""
    services = request.app[SERVICES]
    upload_id = request[UPLOAD_ID] = new_id()
    bind_ids(upload_id=upload_id)
    admitted = await admit(head_of(request), services, upload_id, request[REQUEST_ID])
    if admitted.route.delivery is Delivery.RELAY:
        return await _relay(request, services, admitted)
    return await _host(request, services, admitted)


async def _relay(
    request: web.Request, services: Services, admitted: Admitted
) -> web.StreamResponse:
    await send_continue(request)
    body = _body(request, services, admitted)
    async with services.relay.send(admitted, headers.of_relay(request.headers), body) as relayed:
        return await stream_answer(request, relayed.response, relayed.held)


async def _host(request: web.Request, services: Services, admitted: Admitted) -> web.Response:
    wanted = preference(request.headers.getall("Prefer", []), services.settings.registration_wait)
    async with services.external.reserve(admitted):
        await send_continue(request)
        upload = await services.external.receive(admitted, _body(request, services, admitted))
    if wanted.wait > 0:
        upload = await services.external.wait_for_end(upload, wanted.wait)
    response = answer_to(request, upload)
    if wanted.applied is not None:
        response.headers["Preference-Applied"] = wanted.applied
    return response


def answer_to(request: web.Request, upload: Upload) -> web.Response:
    """What the client of a hosted upload is told, by where its upload stands."""
    if upload.result is not None:
        return web.Response(
            status=upload.result.status, headers=upload.result.headers, body=upload.result.body
        )
    if upload.fault is not None:
        describe = rejection if upload.state is State.REJECTED else failure
        problem = describe(upload.fault.slug, upload.fault.detail)
        return problem_response(request, problem)
    return web.json_response(
        resource_of(upload), status=202, headers={"Location": upload_location(upload.id)}
    )


def _body(request: web.Request, services: Services, admitted: Admitted) -> AsyncIterator[bytes]:
    return read_body(request, limit=admitted.body_limit, patience=services.settings.body_timeout)
