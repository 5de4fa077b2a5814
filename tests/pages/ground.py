"""A bucket of one module's own, what is in it, and an operator who asks for it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
from msgspec.structs import replace as changed

from gateway.choices import Delivery
from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.ids import created_at
from gateway.uploads.lifecycle import advance, begin
from gateway.uploads.record import (
    Attempt,
    Change,
    Fault,
    File,
    State,
    Target,
    Terms,
    Upload,
    to_json,
)
from tests.servers.fixtures import open_store

ADMIN_TOKEN: Final = "the-operators-own-token"
ATTACK: Final = (
    "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
)
FAILED: Final = Fault("registration-failed", "ChatKitty refused the request")
_AT_ONCE: Final = 32


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    document: Any


@dataclass(frozen=True)
class Operator:
    """Asks one gateway's admin port, with a token or without."""

    session: aiohttp.ClientSession
    url: str
    token: str | None = ADMIN_TOKEN

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> "AsyncIterator[Operator]":
        async with aiohttp.ClientSession() as session:
            yield cls(session, url)

    def with_token(self, token: str | None) -> "Operator":
        return replace(self, token=token)

    async def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}
        request = self.session.request(
            method, self.url + path, headers={**sent, **(headers or {})}, **options
        )
        async with request as answer:
            text = await answer.text()
            is_json = "json" in answer.content_type
            document = await answer.json(content_type=None) if is_json else None
            return Answer(answer.status, answer.headers, text, document)

    async def get(self, path: str, **query: str) -> Any:
        """The document of an answer that is a success."""
        answer = await self.ask(f"/gateway/admin/{path}", params=query)
        assert answer.status == 200, answer.text
        return answer.document

    async def act(self, action: str, *ids: str, **more: Any) -> list[dict[str, Any]]:
        order = {"action": action, "ids": list(ids), **more}
        answer = await self.ask("/gateway/admin/actions", "POST", json=order)
        assert answer.status == 200, answer.text
        outcomes: list[dict[str, Any]] = answer.document["outcomes"]
        return outcomes


@asynccontextmanager
async def own_bucket(server: SeaweedFS) -> AsyncIterator[tuple[str, S3Store]]:
    """A new bucket's name, and its store."""
    bucket = f"pages-{uuid4().hex[:12]}"
    async with open_store(replace(server, bucket=bucket)) as store:
        await store.ensure_bucket()
        yield bucket, store


def id_at(seconds: float) -> str:
    """An id that was made at that time."""
    tail = uuid4().int & ((1 << 62) - 1)
    return str(UUID(int=int(seconds * 1000) << 80 | 7 << 76 | 2 << 62 | tail))


def upload(upload_id: str, state: State = State.STORED, **members: Any) -> Upload:
    """A hosted upload in that state."""
    began = datetime.fromtimestamp(created_at(upload_id), UTC)
    file = File(
        name="cat.png", original_name="cat.png", declared_type="image/png", size=1234,
        content_type="image/png",
    )  # fmt: skip
    made = Upload(
        id=upload_id,
        subject="alice",
        request_id="request-1",
        delivery=Delivery.EXTERNAL,
        target=Target("POST", "/v1/channels/702/messages"),
        history=begin(began, State.STORED, began),
        files=(file,),
        terms=Terms(),
    )
    if state in (State.INSPECTED, State.REGISTERED, State.FAILED):
        made = advance(made, State.INSPECTED, began)
    if state is State.FAILED:
        made = advance(made, state, began, FAILED)
        made = changed(made, attempt=Attempt(count=3, first_at=began, unknown=False))
    elif state is not made.state:
        made = changed(made, history=(*made.history, Change(state, began)))
    return changed(made, **members)


async def keep(store: S3Store, uploads: Iterable[Upload]) -> None:
    """Write the records, and the files of those that could be retried."""
    waiting = list(uploads)
    for start in range(0, len(waiting), _AT_ONCE):
        await asyncio.gather(*(_keep(store, each) for each in waiting[start : start + _AT_ONCE]))


async def _keep(store: S3Store, each: Upload) -> None:
    pending = each.state in (State.STORED, State.INSPECTED)
    place = keys.pending(each.id) if pending else keys.record(each.id)
    await store.put(place, to_json(each))
    if each.state in (State.STORED, State.FAILED):
        await store.put(keys.incoming(each.id), b"file")
