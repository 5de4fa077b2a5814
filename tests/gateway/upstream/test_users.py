"""All users are found, even if others are added or deleted while pages are read."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import UpstreamError
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.endpoints import Generation
from gateway.upstream.reconcile import TooMany
from gateway.upstream.users import all_users
from tests.gateway.upstream.scripted import Received, ScriptedServer, answer

CALLER = CallersOwn("Bearer x")
Change = Callable[[list[int]], object]


def serve(upstream: ScriptedServer, ids: list[int], *changes: Change) -> None:
    """Serve the users with these ids; after each page another change is made to them."""
    coming = iter(changes)

    async def page(request: Received) -> bytes:
        query = parse_qs(urlsplit(request.target).query)
        assert query["sort"] == ["id,asc"]
        number, size = int(query["page"][0]), int(query["size"][0])
        shown = [{"id": each} for each in sorted(ids)[number * size : (number + 1) * size]]
        pages = -(-len(ids) // size)
        told = {"number": number, "totalPages": pages, "totalElements": len(ids)}
        more = {"next": {"href": "x"}} if number + 1 < pages else {}
        document = {"_embedded": {"users": shown}, "page": told, "_links": more}
        next(coming, lambda _: None)(ids)
        return answer(200, document)

    upstream.replies(page)


async def found(client: ChatKitty) -> set[object]:
    return {user["id"] async for user in all_users(client, Generation.V1, CALLER)}


async def test_one_page_is_asked_for_once(upstream: ScriptedServer, client: ChatKitty) -> None:
    for ids in ([], list(range(100))):
        serve(upstream, ids)
        assert await found(client) == set(ids)
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("moment", range(4))
async def test_no_user_is_missed_when_another_is_deleted(
    upstream: ScriptedServer, client: ChatKitty, moment: int
) -> None:
    """He makes room on his page, to which the first of the next one moves."""
    ids = list(range(300))
    serve(upstream, ids, *[lambda _: None] * moment, lambda left: left.remove(5))
    assert await found(client) >= set(ids)


@pytest.mark.parametrize("moment", range(3))
async def test_new_user_is_found_after_the_last_one(
    upstream: ScriptedServer, client: ChatKitty, moment: int
) -> None:
    ids = list(range(300))
    serve(upstream, ids, *[lambda _: None] * moment, lambda left: left.extend(range(300, 450)))
    assert await found(client) == set(range(450))


async def test_users_that_appear_faster_than_pages_are_read_are_searched_later(
    upstream: ScriptedServer, client: ChatKitty
) -> None:
    def more(left: list[int]) -> None:
        left.extend(range(len(left), len(left) + 150))

    serve(upstream, list(range(150)), *[more] * 30)
    with pytest.raises(UpstreamError, match="users are added faster") as caught:
        await found(client)
    assert caught.value.retryable


async def test_too_many_are_not_looked_through(upstream: ScriptedServer, client: ChatKitty) -> None:
    serve(upstream, list(range(10_001)))
    with pytest.raises(TooMany):
        await found(client)


@pytest.mark.parametrize(
    "document", [{}, {"page": {}}, {"_embedded": {"users": [{"id": "1"}]}, "page": {"size": 1}}]
)
async def test_what_is_no_page_of_users_is_no_proof(
    upstream: ScriptedServer, client: ChatKitty, document: dict[str, object]
) -> None:
    upstream.replies(answer(200, document))
    with pytest.raises(UpstreamError, match="not a page of users"):
        await found(client)
