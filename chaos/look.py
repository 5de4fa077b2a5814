"""Collects the facts: from the upstream, the gateway and the bucket, by their public means."""

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp

from chaos.facts import Bucket, Facts, Fetched, Message, Resource
from chaos.stack import Told
from gateway.errors import ObjectNotFound, StoreUnavailable
from gateway.store.s3 import S3Store

_CALL_SECONDS = 30.0
_AT_ONCE = 8
_PAGE = 1_000
_TRIES = 5
_TRY_PAUSE = 1.0
_MOST_SHOWN = 100
_REGION = "us-east-1"

Item = TypeVar("Item", str, Message)
Found = TypeVar("Found")

UNAVAILABLE: Final = (aiohttp.ClientError, OSError, TimeoutError, StoreUnavailable)
"""The errors while a part is unavailable: the facts must be collected again."""


def open_store(told: Told) -> AbstractAsyncContextManager[S3Store]:
    """The store of a running stack."""
    return S3Store.open(
        endpoint_url=told.s3_endpoint,
        bucket=told.s3_bucket,
        region=_REGION,
        access_key_id=told.s3_access_key_id,
        secret_access_key=told.s3_secret_access_key,
    )


class Lookout:
    """Collects facts from a running stack; final ones are not requested twice."""

    def __init__(self, session: aiohttp.ClientSession, store: S3Store, told: Told) -> None:
        self._session = session
        self._store = store
        self._told = told
        self._settled: dict[str, Resource] = {}
        self._fetched: dict[int, Fetched] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, told: Told) -> AsyncIterator[Self]:
        """One with its own connections, closed at the end."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CALL_SECONDS)) as session,
            open_store(told) as store,
        ):
            yield cls(session, store, told)

    async def look(self, upload_ids: Iterable[str], *, redis_forgot: bool) -> Facts:
        """The facts, with the resources of those uploads. Raises one of UNAVAILABLE."""
        resources = await each_of(upload_ids, self._resource)
        return Facts(
            messages=await self._messages(),
            resources=resources,
            bucket=await self._bucket(),
            redis_forgot=redis_forgot,
        )

    async def fetch(self, messages: Iterable[Message]) -> Mapping[int, Fetched]:
        """The digests or statuses of the messages' files, by message id."""
        missing = [message for message in messages if message.id not in self._fetched]
        found = await each_of(missing, self._file)
        self._fetched |= {message.id: fetched for message, fetched in found.items()}
        return dict(self._fetched)

    async def _messages(self) -> dict[str, tuple[Message, ...]]:
        """All messages upstream that have a file, by its name."""
        found: dict[str, list[Message]] = defaultdict(list)
        cursor: str | None = None
        while True:
            page = await self._get_page(cursor)
            for document in page.get("_embedded", {}).get("messages", ()):
                if "file" in document:
                    message = _message(document)
                    found[message.name].append(message)
            older = page["_links"].get("next")
            if older is None:
                return {name: tuple(messages) for name, messages in found.items()}
            cursor = parse_qs(urlsplit(older["href"]).query)["next"][0]

    async def _get_page(self, cursor: str | None) -> dict[str, Any]:
        params = {"size": str(_PAGE)} | ({"next": cursor} if cursor else {})
        url = f"{self._told.sandbox}/v1/messages"
        async with self._session.get(url, params=params, headers=self._authorized()) as response:
            response.raise_for_status()
            page: dict[str, Any] = await response.json()
            return page

    async def _resource(self, upload_id: str) -> Resource:
        if (known := self._settled.get(upload_id)) is not None:
            return known
        url = f"{self._told.gateway}/gateway/uploads/{upload_id}"
        async with self._session.get(url, headers=self._authorized()) as response:
            document = await response.json(content_type=None) if response.status == 200 else {}
            resource = _resource(response.status, document)
        if resource.status == 200 and resource.is_settled:
            self._settled[upload_id] = resource
        return resource

    async def _bucket(self) -> Bucket:
        # In the order of an upload's steps, so that one in progress does not look incomplete.
        sessions = await self._ids("sessions/")
        incoming = await self._ids("incoming/")
        pending = sorted(await self._ids("pending/"))
        records = await self._ids("records/")
        shown = await each_of(pending[:_MOST_SHOWN], self._pending)
        open_multiparts = self._store.list_multipart_uploads("incoming/")
        return Bucket(
            pending={upload_id: shown.get(upload_id, "not looked at") for upload_id in pending},
            incoming=incoming,
            records=records,
            sessions=sessions,
            multiparts=tuple([_last(each.key) async for each in open_multiparts]),
        )

    async def _ids(self, prefix: str) -> frozenset[str]:
        return frozenset([_last(info.key) async for info in self._store.list(prefix)])

    async def _pending(self, upload_id: str) -> str:
        """A short description of a pending record, for the findings."""
        try:
            content = (await self._store.get(f"pending/{upload_id}"))[0]
        except ObjectNotFound:
            return "gone meanwhile"
        document = json.loads(content)
        names = ", ".join(file["name"] for file in document.get("files", ()))
        state = document["history"][-1]["state"] if document.get("history") else "unknown"
        return f"{names or 'no file'}, {state}, attempt {document.get('attempt')}"

    async def _file(self, message: Message) -> Fetched:
        """Fetch the URL that the upstream shows; a part may have to start again first."""
        fetched = Fetched(None, 0)
        for _ in range(_TRIES):
            try:
                fetched = await self._try_file(message.url)
            except UNAVAILABLE:
                fetched = Fetched(None, 0)
            if fetched.sha256 is not None or 400 <= fetched.status < 500:
                break
            await asyncio.sleep(_TRY_PAUSE)
        return fetched

    async def _try_file(self, url: str) -> Fetched:
        async with self._session.get(url) as response:
            if response.status != 200:
                return Fetched(None, response.status)
            digest = hashlib.sha256()
            async for chunk in response.content.iter_any():
                digest.update(chunk)
            return Fetched(digest.hexdigest())

    def _authorized(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._told.token}"}


def _message(document: dict[str, Any]) -> Message:
    file = document["file"]
    return Message(
        id=document["id"],
        hosting=file["type"],
        name=file["name"],
        url=file["url"],
        size=file["size"],
        content_type=file["contentType"],
        created=document["createdTime"],
    )


def _resource(status: int, document: dict[str, Any]) -> Resource:
    problem = document.get("problem")
    return Resource(
        status=status,
        state=document.get("state"),
        url=document.get("url"),
        problem=f"{problem['type']}: {problem['detail']}" if problem else None,
    )


def _last(key: str) -> str:
    return key.rpartition("/")[2]


async def each_of(
    items: Iterable[Item], look: Callable[[Item], Awaitable[Found]]
) -> dict[Item, Found]:
    """The results for all items, a few at a time. Raises the first error."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def bounded(item: Item) -> Found:
        async with room:
            return await look(item)

    wanted = list(items)
    return dict(zip(wanted, await asyncio.gather(*map(bounded, wanted)), strict=True))
