"""What ChatKitty tells of users that concerns files: their display pictures.

Source: ChatKitty OpenAPI 2.41.9, `ChatUserResource` and `list-users`: a page is asked for by its
number, and nothing tells since when a user has a picture.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Final

from gateway.errors import UpstreamError
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Generation
from gateway.upstream.reconcile import TooMany

_PAGE_SIZE: Final = 100
_MOST_PAGES: Final = 100


def picture_of(user: object) -> object:
    """The URL of a user's display picture, in either generation's spelling; None without. Pure."""
    if not isinstance(user, Mapping):
        return None
    return user.get("displayPictureUrl", user.get("display_picture_url"))


async def all_users(
    client: ChatKitty, generation: Generation, credentials: Credentials
) -> AsyncGenerator[dict[str, object], None]:
    """The users of the application. Raises UpstreamError, and TooMany where there are more."""
    for number in range(_MOST_PAGES):
        params = {"page": str(number), "size": str(_PAGE_SIZE)}
        page = await client.get_json(f"{generation.prefix}/users", params, credentials)
        for user in _users(page):
            yield user
        links = page.get("_links")
        if not isinstance(links, dict) or "next" not in links:
            return
    raise TooMany("there are too many users to search")


def _users(page: Mapping[str, object]) -> list[dict[str, object]]:
    """The users of a page. Raises UpstreamError for what is no page."""
    embedded = page.get("_embedded", {})
    # An empty page leaves `_embedded` out; without `page` either it is something else.
    if isinstance(embedded, dict) and ("page" in page or embedded):
        users = embedded.get("users", [])
        if isinstance(users, list) and all(isinstance(each, dict) for each in users):
            return users
    raise UpstreamError("ChatKitty's answer is not a page of users")
