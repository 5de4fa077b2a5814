"""The display pictures that ChatKitty reports for users.

Source: ChatKitty OpenAPI 2.41.9, `ChatUserResource` and `list-users`: pages can only be requested
by number (`page`, `size`, `sort`), and nothing shows since when a user has a picture.
"""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from gateway.errors import UpstreamError
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Generation
from gateway.upstream.reconcile import TooMany

_PAGE_SIZE: Final = 100
_MOST_PAGES: Final = 100
_ROUNDS: Final = 3


def picture_of(user: object) -> object:
    """The URL of a user's display picture, in either generation's spelling; None without. Pure."""
    if not isinstance(user, Mapping):
        return None
    return user.get("displayPictureUrl", user.get("display_picture_url"))


@dataclass(frozen=True, slots=True)
class _Page:
    """Users by their ids, and how many pages and users there were when it was made."""

    users: Mapping[int, dict[str, object]]
    pages: int
    total: int


async def all_users(
    client: ChatKitty, generation: Generation, credentials: Credentials
) -> AsyncGenerator[dict[str, object], None]:
    """The users of the application, some of them twice.

    Raises UpstreamError, retryable if these may not be all, and TooMany if there are more.
    """
    seen: set[int] = set()
    async with aclosing(_pages(client, generation, credentials, seen)) as pages:
        async for page in pages:
            seen.update(page.users)
            for user in page.users.values():
                yield user


async def _pages(
    client: ChatKitty, generation: Generation, credentials: Credentials, seen: Collection[int]
) -> AsyncGenerator[_Page, None]:
    """Pages until all their users are `seen`.

    ChatKitty divides the users into pages for each request. The pages are read by ascending ids,
    from the last one to the first: a user that is deleted in the meantime moves others only to
    pages that are still to be read, and a new user is found after the last.
    """

    async def page(number: int) -> _Page:
        params = {"page": str(number), "size": str(_PAGE_SIZE), "sort": "id,asc"}
        return _page_of(await client.get_json(f"{generation.prefix}/users", params, credentials))

    latest, first = await page(0), 0
    yield latest
    if latest.pages <= 1:
        return
    for _ in range(_ROUNDS):
        if latest.pages > _MOST_PAGES:
            raise TooMany("there are too many users to search")
        end = latest.pages
        for number in reversed(range(first, end)):
            latest = await page(number)
            yield latest
        if len(seen) >= latest.total:
            return
        first = max(0, end - 1)
    raise UpstreamError("users are added faster than they can be listed", retryable=True)


def _page_of(document: Mapping[str, object]) -> _Page:
    """The page in the document. Raises UpstreamError if it is no page."""
    embedded, told = document.get("_embedded", {}), document.get("page")
    # An empty page leaves `_embedded` out.
    if isinstance(embedded, dict) and isinstance(told, dict):
        users = embedded.get("users", [])
        pages = told.get("totalPages", told.get("total_pages"))
        total = told.get("totalElements", told.get("total_elements"))
        if isinstance(users, list) and type(pages) is int and type(total) is int:
            by_id = {each["id"]: each for each in users if _is_user(each)}
            if len(by_id) == len(users):
                return _Page(by_id, pages, total)
    raise UpstreamError("ChatKitty's answer is not a page of users")


def _is_user(document: object) -> bool:
    return isinstance(document, dict) and type(document.get("id")) is int
