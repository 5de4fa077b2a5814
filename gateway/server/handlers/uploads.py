"""An upload's way through the gateway: admitted, delivered, answered."""

import asyncio
import time
from contextlib import AsyncExitStack

from aiohttp import web
from msgspec.structs import replace
from multidict import CIMultiDict, CIMultiDictProxy

from gateway import tracing
from gateway.answer import Answer
from gateway.choices import Delivery
from gateway.delivery.admitted import Admitted
from gateway.delivery.external import Received
from gateway.delivery.form import Reader
from gateway.delivery.idempotency import Unknown
from gateway.delivery.links import without_sums
from gateway.errors import TooManyUploads
from gateway.metrics.catalogue import OPEN_UPLOADS, PHASE_SECONDS
from gateway.problems import OUTCOME_UNKNOWN, Problem, failure, rejection
from gateway.records.claims import Held
from gateway.resumable.dialects.digests import digests_of_whole
from gateway.server.admission.admit import authenticate_upload, grant_of, settle
from gateway.server.admission.body import read_body, send_continue, verified
from gateway.server.admission.charge import charge
from gateway.server.admission.deletions import hand_over, order_removal
from gateway.server.admission.pictures import check_picture
from gateway.server.connection.answers import problem_response
from gateway.server.connection.context import REQUEST_ID, UPLOAD_ID
from gateway.server.connection.turns import TurnHandler
from gateway.server.fields.head import head_of
from gateway.server.fields.idempotency_key import idempotency_key
from gateway.server.fields.prefer import Preference, preference
from gateway.server.handlers.relaying import relayed
from gateway.server.handlers.resources import upload_location
from gateway.server.handlers.streaming import stream_answer
from gateway.server.services import SERVICES, Services
from gateway.telemetry import bind_ids, get_logger
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import Step, is_end
from gateway.uploads.record import State, Upload
from gateway.uploads.resource import resource_of

log = get_logger(__name__)


async def take_upload(request: web.Request) -> web.StreamResponse:
    """Answer a multipart request to the upstream, in the delivery that its route has."""
    services = request.app[SERVICES]
    upload_id = request[UPLOAD_ID] = new_id()
    bind_ids(upload_id=upload_id)
    started = time.monotonic()
    principal = await authenticate_upload(request, services)
    await charge(request, principal, upload_id)
    admitted = settle(head_of(request), principal, services, upload_id, request[REQUEST_ID])
    await check_picture(admitted, services.backends)
    delivery = admitted.route.delivery.value
    PHASE_SECONDS.of(delivery, "auth").observe(time.monotonic() - started)
    if carried := tracing.carried():
        admitted = replace(admitted, trace=dict(carried))
    still_open = OPEN_UPLOADS.of(delivery)
    still_open.value += 1
    try:
        return await _take(request, services, admitted)
    finally:
        still_open.value -= 1


async def _take(request: web.Request, services: Services, admitted: Admitted) -> web.StreamResponse:
    key = idempotency_key(request.headers.getall("Idempotency-Key", []))
    is_relay = admitted.route.delivery is Delivery.RELAY
    if is_relay and key is None:
        with services.slots.hold():
            return await _relay(request, services, admitted)
    await services.fitness.check()
    async with services.presence.of(admitted.upload_id, at_once=key is not None):
        reader = services.external.form_reader(admitted)
        if key is None:
            return await host(request, services, admitted, reader)
        if admitted.authorization is None:  # all grants share one subject, but not one caller
            key = f"{grant_of(request.headers)}\n{key}"  # no header has a line break
        try:
            claimed = await services.once.claim(admitted, key, services.settings.registration_wait)
        except Unknown as unknown:
            return _unknown(request, unknown.upload)
        if isinstance(claimed, Upload):
            return await repeat(request, services, claimed)
        if is_relay:
            try:
                with services.slots.hold():
                    return await _relay_once(request, services, admitted, claimed)
            except TooManyUploads:
                await services.once.release(claimed)
                raise
        return await host_once(request, services, admitted, reader, claimed)


async def _relay(
    request: web.Request, services: Services, admitted: Admitted
) -> web.StreamResponse:
    placed = await order_removal(request, services, admitted.target.path)
    await ask_for_body(request)
    async with relayed(request, services, admitted) as (head, held, rest):
        await hand_over(services, placed, head.status)
        return await stream_answer(request, head, held, rest)


async def _relay_once(
    request: web.Request, services: Services, admitted: Admitted, held: Held
) -> web.StreamResponse:
    try:
        placed = await order_removal(request, services, admitted.target.path)
    except BaseException:
        await asyncio.shield(services.once.release(held))
        raise
    attempt = await services.once.begin(held, admitted)
    async with AsyncExitStack() as stack:
        try:
            await ask_for_body(request)
            relaying = relayed(request, services, admitted, attempt.entry)
            head, begun, rest = await stack.enter_async_context(relaying)
        except Exception as error:
            await services.once.broke(attempt, error)
            raise
        await services.once.answered(attempt, head.status, head.headers)
        await hand_over(services, placed, head.status)
        return await stream_answer(request, head, begun, rest)


async def host(
    request: web.Request, services: Services, admitted: Admitted, reader: Reader
) -> web.Response:
    """Store the file that the body brings, accept the upload, and answer it."""
    received = await _receive(request, services, admitted, reader)
    wanted = _preference(request, services)
    upload = await services.external.deliver(received, wanted.wait)
    return _answer_hosted(request, upload, wanted)


async def host_once(
    request: web.Request, services: Services, admitted: Admitted, reader: Reader, held: Held
) -> web.Response:
    """The same under the claim of an idempotency key."""
    try:
        received = await _receive(request, services, admitted, reader)
    except BaseException:
        await asyncio.shield(services.once.release(held))
        raise
    # From here on the claim stays, whatever happens: the upload may have been accepted.
    wanted = _preference(request, services)
    upload = await services.external.deliver(received, wanted.wait, contested=True)
    return _answer_hosted(request, upload, wanted)


async def _receive(
    request: web.Request, services: Services, admitted: Admitted, reader: Reader
) -> Received:
    digests = digests_of_whole(request.headers)
    with services.slots.hold():
        async with services.external.reserve(admitted) as memory:
            await ask_for_body(request)
            body = read_body(
                request, services, limit=admitted.body_limit, until=admitted.body_until
            )
            if digests:
                body = verified(body, digests)
            return await services.external.receive(admitted, reader, body, memory)


async def repeat(request: web.Request, services: Services, upload: Upload) -> web.Response:
    """Answer a repeated request as the first one, without its body."""
    request[UPLOAD_ID] = upload.id
    log.info("upload.repeated", first=upload.id)
    if upload.delivery is Delivery.RELAY:
        return answer_to(request, upload)
    # The first request's gateway may have died before it listed the upload, or sent its task.
    await services.backends.ledger.remember(upload)
    if not is_end(upload.state):
        services.backends.queue.send(Step.RESUME, upload.id)
    return await answer_hosted(request, services, upload)


async def answer_hosted(
    request: web.Request, services: Services, upload: Upload, default: float | None = None
) -> web.Response:
    """Answer an accepted upload, once its client has waited for its end as it prefers.

    A client that prefers nothing waits for `default` seconds, or as the settings say.
    """
    wanted = _preference(request, services, default)
    if wanted.wait > 0:
        upload = await services.external.wait_for_end(upload, wanted.wait)
    return _answer_hosted(request, upload, wanted)


def _preference(
    request: web.Request, services: Services, default: float | None = None
) -> Preference:
    if default is None:
        default = services.settings.registration_wait
    return preference(request.headers.getall("Prefer", []), default)


def _answer_hosted(request: web.Request, upload: Upload, wanted: Preference) -> web.Response:
    response = answer_to(request, upload)
    if wanted.applied is not None:
        response.headers["Preference-Applied"] = wanted.applied
    return response


def _unknown(request: web.Request, upload: Upload) -> web.Response:
    """A repeated relay with an unknown outcome: the answer has only the upload resource."""
    request[UPLOAD_ID] = upload.id
    detail = "ChatKitty may have processed the first request, so it is not sent again"
    location = {"Location": upload_location(upload.id)}
    problem = Problem(OUTCOME_UNKNOWN, detail, location, outcome_unknown=True)
    return problem_response(request, problem, upload=resource_of(upload))


def answer_to(request: web.Request, upload: Upload) -> web.Response:
    """The answer to the client of a hosted upload, which depends on the upload's state."""
    if upload.result is not None:
        return _answer_of_chatkitty(request, upload.result)
    if upload.fault is not None and is_end(upload.state):
        describe = rejection if upload.state is State.REJECTED else failure
        problem = describe(upload.fault.slug, upload.fault.detail)
        return problem_response(request, problem)
    return web.json_response(
        resource_of(upload), status=202, headers={"Location": upload_location(upload.id)}
    )


def _answer_of_chatkitty(request: web.Request, result: Answer) -> web.Response:
    """ChatKitty's answer, as it was recorded."""
    rewriter = request.app[SERVICES].links
    fields = CIMultiDict(result.headers)
    links = None
    if rewriter is not None:
        links = rewriter.of(result.status, CIMultiDictProxy(fields))
    if links is None:
        return web.Response(status=result.status, headers=fields, body=result.body)
    body = links.whole(result.body)
    return web.Response(status=result.status, headers=without_sums(fields), body=body)


async def ask_for_body(request: web.Request) -> None:
    """Ask the client for its body, and read it in large pieces."""
    await send_continue(request)
    if isinstance(request.protocol, TurnHandler):
        request.protocol.let_in()
