"""Finding out what became of a registration that was never answered."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.answer import Answer
from gateway.errors import UpstreamError, UpstreamRefused
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.endpoints import Endpoint, EndpointKind, Generation
from gateway.upstream.reconcile import CLOCK_SLACK, find_registered
from tests.gateway.upstream.scripted import CUT, ScriptedServer, answer

CALLER = CallersOwn("Bearer x")
SINCE = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
URL = "https://files.example/gateway/files/t0k3n/jane.png"
V1 = Endpoint(EndpointKind.CHANNEL_MESSAGE, Generation.V1, "/v1/channels/702/messages", 702)
CURRENT = Endpoint(EndpointKind.THREAD_MESSAGE, Generation.CURRENT, "/threads/9/messages", 9)
PICTURE = Endpoint(EndpointKind.DISPLAY_PICTURE, Generation.V1, "/v1/users/1/display-picture", 1)


def message(number: int, seconds: float = 0, url: str | None = None, **more: object) -> object:
    """A message made so many seconds after SINCE, with a file at `url` if there is one."""
    created = (SINCE + timedelta(seconds=seconds)).isoformat()
    made = {"id": number, "createdTime": created, **more}
    return made if url is None else {**made, "type": "FILE", "file": {"url": url}}


def page(messages: list[object], older: str | None = None) -> bytes:
    """A page of messages; `older` is the query of the link to the next."""
    document: dict[str, object] = {"page": {"size": len(messages)}, "_links": {}}
    if messages:
        document["_embedded"] = {"messages": messages}
    if older:
        # The real links nest under the application; only their query can be relied on.
        href = f"https://elsewhere.example/v1/applications/1/messages?{older}"
        document["_links"] = {"next": {"href": href}}
    return answer(200, document)


async def test_a_message_with_the_url_is_the_answer_that_was_lost(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    ours = message(7, 1, URL)
    upstream.replies(page([message(9, 3), message(8, 2, URL + "x"), ours, message(6, 0)]))
    found = await find_registered(client, V1, URL, SINCE, CALLER)
    assert found is not None
    assert found.json_object() == ours
    assert (found.status, found.headers) == (200, (("Content-Type", "application/json"),))
    assert upstream.targets == ["GET /v1/channels/702/messages?size=100"]
    assert upstream.requests[0].headers["authorization"] == "Bearer x"


async def test_a_channel_without_messages_has_none_of_ours(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(page([]))
    assert await find_registered(client, V1, URL, SINCE, CALLER) is None


async def test_older_pages_are_read_by_their_cursor_on_the_endpoints_own_path(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    ours = message(1, 0, URL)
    upstream.replies(
        page([message(9, 9)], "start=33&next=32&size=5&relation=NEXT&evil=1"),
        page([message(8, 8)], "start=31&next=30&size=5&relation=NEXT"),
        page([ours]),
    )
    found = await find_registered(client, CURRENT, URL, SINCE, CALLER)
    assert found is not None
    assert found.json_object() == ours
    assert upstream.targets == [
        "GET /threads/9/messages?size=100",
        "GET /threads/9/messages?start=33&next=32&size=5&relation=NEXT",
        "GET /threads/9/messages?start=31&next=30&size=5&relation=NEXT",
    ]


@pytest.mark.parametrize("spelling", ["createdTime", "created_time"])
async def test_a_search_stops_when_all_further_messages_are_older(
    upstream: ScriptedServer, client: ChatKitty, spelling: str
) -> None:
    before = (SINCE - CLOCK_SLACK - timedelta(seconds=1)).isoformat()
    after = SINCE.isoformat()
    upstream.replies(
        page([{"id": 2, spelling: after}, {"id": 1, spelling: before}], "start=1&next=0")
    )
    assert await find_registered(client, CURRENT, URL, SINCE, CALLER) is None
    assert len(upstream.requests) == 1


async def test_a_slow_clock_of_chatkitty_hides_no_message(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    behind = -CLOCK_SLACK.total_seconds() + 1
    upstream.replies(page([message(2, behind)], "start=1"), page([message(1, behind, URL)]))
    assert await find_registered(client, V1, URL, SINCE, CALLER) is not None


@pytest.mark.parametrize(
    "unsorted",
    [
        pytest.param([message(1, -9999), message(2, -9000)], id="the oldest first"),
        pytest.param([message(2, -9000), {"id": 1}], id="without a time"),
        pytest.param([{"id": 1, "createdTime": "yesterday"}], id="no time at all"),
        pytest.param([], id="empty"),
    ],
)
async def test_a_page_that_proves_nothing_about_the_rest_does_not_end_the_search(
    upstream: ScriptedServer, client: ChatKitty, unsorted: list[object]
) -> None:
    upstream.replies(page(unsorted, "start=1"), page([message(3, 0, URL)]))
    assert await find_registered(client, V1, URL, SINCE, CALLER) is not None


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(CUT, id="cut"),
        pytest.param(answer(403, {}), id="forbidden"),
        pytest.param(answer(500, {}), id="failed"),
        pytest.param(answer(200, {}), id="no page"),
        pytest.param(answer(200, {"_embedded": {"messages": {}}}), id="no list"),
        pytest.param(answer(200, {"_embedded": {"messages": [1]}}), id="no messages"),
        pytest.param(answer(200, {"_embedded": [], "page": {}}), id="nothing embedded"),
        pytest.param(page([message(1, 1)], "start=1"), id="pages without end"),
    ],
)
async def test_undecidable_outcome_stays_unknown(
    upstream: ScriptedServer, client: ChatKitty, reply: bytes
) -> None:
    upstream.replies(reply)
    with pytest.raises(UpstreamError) as failed:
        await find_registered(client, V1, URL, SINCE, CALLER)
    assert failed.value.outcome_unknown


async def test_a_lookup_that_is_refused_is_not_a_registration_that_was(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(403, {"message": "No."}))
    with pytest.raises(UpstreamError) as failed:
        await find_registered(client, V1, URL, SINCE, CALLER)
    assert not isinstance(failed.value, UpstreamRefused)
    assert (failed.value.retryable, failed.value.outcome_unknown) == (False, True)


async def test_a_busy_chatkitty_is_asked_again_when_it_says(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    upstream.replies(answer(429, {}, {"Retry-After": "9"}))
    with pytest.raises(UpstreamError) as failed:
        await find_registered(client, V1, URL, SINCE, CALLER)
    assert (failed.value.retryable, failed.value.retry_after) == (True, 9.0)


@pytest.mark.parametrize("file", [None, {}, {"url": None}, "x", [URL]])
async def test_messages_with_other_files_or_none_are_passed_over(
    upstream: ScriptedServer, client: ChatKitty, file: object
) -> None:
    upstream.replies(page([message(1, 1, file=file)]))
    assert await find_registered(client, V1, URL, SINCE, CALLER) is None


async def test_a_display_picture_is_simply_set_again(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    assert await find_registered(client, PICTURE, URL, SINCE, CALLER) is None
    assert upstream.requests == []


async def test_a_found_message_reads_like_the_answer_to_its_post(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    ours = message(7, 1, URL, properties={"s": "é"})
    upstream.replies(page([ours]))
    found = await find_registered(client, V1, URL, SINCE, CALLER)
    assert isinstance(found, Answer)
    assert json.loads(found.body) == ours
