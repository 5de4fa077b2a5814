"""Requests to ChatKitty, and what each odd answer to one means."""

import asyncio
import json
import time

import pytest

from gateway.answer import Answer, Refusal
from gateway.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.client import ChatKitty, Identity
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.endpoints import Endpoint, EndpointKind, Generation, recognise
from gateway.upstream.transport import LARGEST_ANSWER
from tests.gateway.upstream.scripted import CUT, Last, ScriptedServer, answer, silence

TOKEN = "Bearer d4327889-26a8-49ac-997c-56d8b1bcb09c"
CALLER = CallersOwn(TOKEN)
CHANNEL = Endpoint(EndpointKind.CHANNEL_MESSAGE, Generation.V1, "/v1/channels/702/messages", 702)
MESSAGE = {"id": 44904, "type": "FILE"}


class Renewable:
    """Credentials of which the first value is stale."""

    def __init__(self, *values: str) -> None:
        self.values = list(values)

    async def authorization(self) -> str:
        return self.values[0]

    async def renewed(self, refused: str) -> str | None:
        later = self.values[self.values.index(refused) + 1 :]
        return later[0] if later else None


async def test_a_reference_is_posted_as_json_to_the_very_path(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(200, MESSAGE, {"X-Response-Token": "AB", "Set-Cookie": "a=b"}))
    body = {"type": "FILE", "groupTag": "é"}
    got = await client.register(CHANNEL, body, CALLER)
    assert got.status == 200
    assert got.json_object() == MESSAGE
    assert got.headers == (("Content-Type", "application/json"), ("X-Response-Token", "AB"))
    (request,) = upstream.requests
    assert (request.method, request.target) == ("POST", CHANNEL.path)
    assert json.loads(request.body) == body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == TOKEN
    assert request.headers["accept"] == "application/json"
    assert "transfer-encoding" not in request.headers


async def test_a_late_request_is_not_sent_and_its_caller_knows(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(200, MESSAGE))
    with pytest.raises(UpstreamTimeout) as raised:
        await client.register(CHANNEL, {}, CALLER, send_by=time.monotonic() - 1)
    assert not raised.value.outcome_unknown
    assert upstream.requests == []


async def test_the_current_generation_is_asked_for_by_its_media_type(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(200, MESSAGE))
    endpoint = recognise("/channels/702/messages")
    assert endpoint is not None
    await client.register(endpoint, {}, CALLER)
    assert upstream.requests[0].headers["accept"] == "application/vnd.chatkitty+json,*/*;q=0.8"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_base_url_may_have_a_path(upstream: ScriptedServer, slash: str) -> None:
    upstream.replies(answer(200, MESSAGE))
    async with ChatKitty.open(f"{upstream.url}/chat{slash}", timeout=30.0) as client:
        await client.register(CHANNEL, {}, CALLER)
    assert upstream.targets == ["POST /chat/v1/channels/702/messages"]


async def test_cookies_are_neither_kept_nor_sent(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(200, MESSAGE, {"Set-Cookie": "a=b; Path=/"}))
    await client.register(CHANNEL, {}, CALLER)
    await client.register(CHANNEL, {}, CALLER)
    assert "cookie" not in upstream.requests[1].headers


async def test_refused_connection_means_nothing_was_done(refusing_url: str) -> None:
    async with ChatKitty.open(refusing_url, timeout=30.0) as client:
        with pytest.raises(UpstreamUnavailable) as failed:
            await client.register(CHANNEL, {}, CALLER)
    assert (failed.value.retryable, failed.value.outcome_unknown) == (True, False)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(CUT, id="cut before the answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="cut in the head"),
        pytest.param(answer(200, MESSAGE)[:-4], id="cut in the body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="not HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", id="chunks"),
        pytest.param(answer(200, b"<html>"), id="not JSON"),
        pytest.param(answer(200, [MESSAGE]), id="not an object"),
        pytest.param(answer(200, b"[" * 200_000), id="nested without end"),
        pytest.param(answer(200, b" " * LARGEST_ANSWER + b"{}"), id="too large"),
        pytest.param(answer(200, b"xx", {"Content-Encoding": "gzip"}), id="not of its encoding"),
    ],
)
async def test_a_registration_without_a_sound_answer_may_have_been_done(
    upstream: ScriptedServer, client: ChatKitty, reply: bytes
) -> None:
    upstream.replies(Last(reply))
    with pytest.raises(UpstreamError) as failed:
        await client.register(CHANNEL, {}, CALLER)
    assert (failed.value.retryable, failed.value.outcome_unknown) == (True, True)
    assert len(upstream.requests) == 1


async def test_silence_after_a_registration_leaves_it_open(
    upstream: ScriptedServer, seen: asyncio.Event
) -> None:
    upstream.replies(silence(seen))
    async with ChatKitty.open(upstream.url, timeout=2) as client:
        with pytest.raises(UpstreamTimeout) as failed:
            await client.register(CHANNEL, {}, CALLER)
    assert seen.is_set()
    assert (failed.value.retryable, failed.value.outcome_unknown) == (True, True)


@pytest.mark.parametrize("reply", [CUT, Last(answer(200, b"<html>"))])
async def test_a_broken_question_changes_nothing_and_can_be_asked_again(
    upstream: ScriptedServer, client: ChatKitty, reply: bytes
) -> None:
    upstream.replies(reply)
    with pytest.raises(UpstreamError) as failed:
        await client.get_json("/v1/application", {}, CALLER)
    assert (failed.value.retryable, failed.value.outcome_unknown) == (True, False)


@pytest.mark.parametrize(
    ("status", "headers", "meaning"),
    [
        (400, {}, (False, False, 0)),
        (401, {}, (False, False, 0)),
        (404, {"Retry-After": "5"}, (False, False, 5)),
        (429, {"Retry-After": "7"}, (True, False, 7)),
        (500, {}, (True, True, 0)),
        (503, {}, (True, True, 0)),
        (503, {"Retry-After": "1"}, (True, False, 1)),
        (302, {"Location": "http://169.254.169.254/"}, (False, False, 0)),
    ],
)
async def test_an_error_status_says_what_may_follow(
    upstream: ScriptedServer,
    client: ChatKitty,
    status: int,
    headers: dict[str, str],
    meaning: tuple[bool, bool, float],
) -> None:
    upstream.replies(answer(status, {"error": "X", "message": "No."}, headers))
    with pytest.raises(Refusal) as failed:
        await client.register(CHANNEL, {}, CALLER)
    refusal = failed.value
    assert refusal.status == status
    assert (refusal.retryable, refusal.outcome_unknown, refusal.retry_after) == meaning
    assert len(upstream.requests) == 1


async def test_a_refusal_can_be_shown_as_it_came(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    document = {"error": "ClientError", "message": "The channel is read-only", "timestamp": "x"}
    upstream.replies(answer(400, document))
    with pytest.raises(Refusal) as failed:
        await client.register(CHANNEL, {}, CALLER)
    assert failed.value.answer == Answer(
        400, (("Content-Type", "application/json"),), json.dumps(document).encode()
    )
    assert str(failed.value) == "ChatKitty answered 400: The channel is read-only"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"error": "access_denied", "error_description": "Access is denied"}, "Access is denied"),
        ({"error": "access_denied"}, "access_denied"),
        ({"message": "a\r\nb" + "x" * 500}, "a  b" + "x" * 196),
    ],
)
async def test_a_refusals_text_is_chatkittys_own_on_one_bounded_line(
    upstream: ScriptedServer, client: ChatKitty, document: object, text: str
) -> None:
    upstream.replies(answer(403, document))
    with pytest.raises(Refusal) as failed:
        await client.register(CHANNEL, {}, CALLER)
    assert str(failed.value) == f"ChatKitty answered 403: {text}"


@pytest.mark.parametrize("document", [["no"], {"message": {"a": 1}}, {}])
async def test_a_refusal_without_words_still_tells_its_status(
    upstream: ScriptedServer, client: ChatKitty, document: object
) -> None:
    upstream.replies(answer(502, document))
    with pytest.raises(Refusal) as failed:
        await client.register(CHANNEL, {}, CALLER)
    assert str(failed.value) == "ChatKitty answered 502"


async def test_credentials_that_can_be_renewed_are_tried_once_more(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(401, {}), answer(200, MESSAGE))
    got = await client.register(CHANNEL, {"type": "FILE"}, Renewable("Bearer old", "Bearer new"))
    assert got.json_object() == MESSAGE
    sent = [(request.headers["authorization"], request.body) for request in upstream.requests]
    assert sent == [("Bearer old", b'{"type": "FILE"}'), ("Bearer new", b'{"type": "FILE"}')]


async def test_they_are_renewed_once_only(upstream: ScriptedServer, client: ChatKitty) -> None:
    upstream.replies(answer(401, {}))
    with pytest.raises(Refusal) as failed:
        await client.register(CHANNEL, {}, Renewable("Bearer a", "Bearer b", "Bearer c"))
    assert (failed.value.status, len(upstream.requests)) == (401, 2)


async def test_the_callers_own_token_is_not_tried_again(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(401, {}))
    with pytest.raises(Refusal):
        await client.register(CHANNEL, {}, CALLER)
    assert len(upstream.requests) == 1


async def test_a_request_has_its_query_parameters(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(200, {"page": {}}))
    await client.get_json("/channels/1/messages", {"size": "5", "start": "a&b"}, CALLER)
    assert upstream.targets == ["GET /channels/1/messages?size=5&start=a%26b"]


@pytest.mark.parametrize(
    ("generation", "target"),
    [(Generation.V1, "DELETE /v1/messages/5"), (Generation.CURRENT, "DELETE /messages/5")],
)
@pytest.mark.parametrize("status", [200, 404])
async def test_a_message_is_deleted_or_gone_already(
    upstream: ScriptedServer, client: ChatKitty, generation: Generation, target: str, status: int
) -> None:
    upstream.replies(answer(status, {}))
    await client.delete_message(generation, 5, CALLER)
    assert upstream.targets == [target]


async def test_a_message_that_may_not_be_deleted_is_an_error(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(403, {}))
    with pytest.raises(Refusal):
        await client.delete_message(Generation.V1, 5, CALLER)


async def test_a_token_is_known_by_its_application(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(200, {"id": 1, "key": "k"}))
    assert await client.whoami(CALLER) == Identity(1)
    assert upstream.targets == ["GET /v1/application"]
    assert upstream.requests[0].headers["authorization"] == TOKEN


async def test_an_upstream_without_v1_is_asked_in_the_current_way(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(404, {}), answer(200, {"id": 2}))
    assert await client.whoami(CALLER) == Identity(2)
    assert upstream.targets == ["GET /v1/application", "GET /application"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_not_accepted_is_nobodys(
    upstream: ScriptedServer, client: ChatKitty, status: int
) -> None:
    upstream.replies(answer(status, {}))
    assert await client.whoami(CALLER) is None


@pytest.mark.parametrize(
    "reply",
    [CUT, answer(500, {}), answer(404, {}), answer(200, {"id": "1"}), answer(200, {})],
)
async def test_unclear_whoami_answer_is_an_error_and_not_a_no(
    upstream: ScriptedServer, client: ChatKitty, reply: bytes
) -> None:
    upstream.replies(reply)
    with pytest.raises(UpstreamError):
        await client.whoami(CALLER)
