"""Finds out whether an earlier request registered a file, so that none is registered twice.

ChatKitty has no idempotency key for messages. But the URL of a hosted file is unique to its upload,
so a message with that URL is the one that the upload made.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from gateway.answer import Answer
from gateway.errors import UpstreamError
from gateway.upstream.client import ChatKitty
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Endpoint, Generation

CLOCK_SLACK: Final = timedelta(minutes=15)
"""How far ChatKitty's clock may be behind ours before a message is missed."""

_PAGE_SIZE: Final = 100
_MOST_PAGES: Final = 100
_CURSOR: Final = frozenset({"size", "start", "next", "relation"})


async def find_registered(
    client: ChatKitty, endpoint: Endpoint, url: str, since: datetime, credentials: Credentials
) -> Answer | None:
    """The answer to a registration of `url` that succeeded after `since` (aware), if there is one.

    Reads the messages, the newest first. A display picture is never searched for: setting it again
    does no harm. Raises UpstreamError, always with `outcome_unknown`, if that cannot be found out:
    then ChatKitty must be asked again before anything is sent.
    """
    if endpoint.is_idempotent:
        return None
    try:
        message = await _find(client, endpoint, url, since - CLOCK_SLACK, credentials)
    except UpstreamError as error:
        # Not a Refusal, even if it is one: ChatKitty refused the search, not the registration.
        raise UpstreamError(
            f"it is not known whether the file was registered: {error}",
            retryable=error.retryable,
            outcome_unknown=True,
            retry_after=error.retry_after,
        ) from error
    if message is None:
        return None
    headers = (("Content-Type", "application/json"),)
    return Answer(200, headers, json.dumps(message, separators=(",", ":")).encode())


async def find_naming(
    client: ChatKitty,
    generation: Generation,
    names: Callable[[Mapping[str, object]], bool],
    since: datetime,
    credentials: Credentials,
) -> AsyncGenerator[dict[str, object], None]:
    """The messages of the application since `since` for which `names` is true.

    Raises UpstreamError, and TooMany if only some could be read.
    """
    path = f"{generation.prefix}/messages"
    async with aclosing(_read_back(client, path, since - CLOCK_SLACK, credentials)) as messages:
        async for message in messages:
            if names(message):
                yield message


class TooMany(UpstreamError):
    """There are too many messages, or users, to search."""


async def _find(
    client: ChatKitty, endpoint: Endpoint, url: str, horizon: datetime, credentials: Credentials
) -> dict[str, object] | None:
    async with aclosing(_read_back(client, endpoint.path, horizon, credentials)) as messages:
        async for message in messages:
            if file_url(message) == url:
                return message
    return None


async def _read_back(
    client: ChatKitty, path: str, horizon: datetime, credentials: Credentials
) -> AsyncGenerator[dict[str, object], None]:
    params = {"size": str(_PAGE_SIZE)}
    for _ in range(_MOST_PAGES):
        page = await client.get_json(path, params, credentials)
        messages = _messages(page)
        for message in messages:
            yield message
        older = _older(page)
        if older is None or _reaches(messages, horizon):
            return
        params = older
    raise TooMany("there are too many messages to search")


def _messages(page: Mapping[str, object]) -> list[dict[str, object]]:
    """The messages of a page. Raises UpstreamError if the document is no page."""
    embedded = page.get("_embedded", {})
    # An empty page has no `_embedded`; a document without `page` as well is no page.
    if isinstance(embedded, dict) and ("page" in page or embedded):
        messages = embedded.get("messages", [])
        if isinstance(messages, list) and all(isinstance(each, dict) for each in messages):
            return messages
    raise UpstreamError("ChatKitty's answer is not a page of messages")


def file_url(message: Mapping[str, object]) -> object:
    """The URL of the file in a message, None if it has none. Pure."""
    file = message.get("file")
    return file.get("url") if isinstance(file, dict) else None


def _older(page: Mapping[str, object]) -> dict[str, str] | None:
    """The cursor of the next, older page. The host and path of its link are ignored."""
    links = page.get("_links")
    link = links.get("next") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else None
    if not isinstance(href, str):
        return None
    cursor = {name: text for name, text in parse_qsl(urlsplit(href).query) if name in _CURSOR}
    return cursor or None


def _reaches(messages: list[dict[str, object]], horizon: datetime) -> bool:
    """Whether the page ends before `horizon`, so that all further ones are older still.

    Only a page that is sorted, the newest first, shows that: the order is not documented.
    """
    times = [_created(message) for message in messages]
    known = [time for time in times if time is not None]
    if not known or len(known) < len(times):
        return False
    return known[-1] < horizon and known == sorted(known, reverse=True)


def _created(message: Mapping[str, object]) -> datetime | None:
    text = message.get("createdTime", message.get("created_time"))
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
