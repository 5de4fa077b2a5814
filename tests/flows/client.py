"""A client of the gateway, such as a mobile backend."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.servers import secrets

PATIENCE = 60.0
ENDS = {"registered", "audited", "flagged", "rejected", "failed", "aborted"}


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return aiohttp.typedefs.DEFAULT_JSON_DECODER(self.body.decode())

    @property
    def upload_id(self) -> str:
        return self.headers["Upload-Id"]


@dataclass(frozen=True)
class Client:
    """Speaks to one gateway with one token."""

    session: aiohttp.ClientSession
    url: str
    token: str

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, token: str) -> "AsyncIterator[Client]":
        async with aiohttp.ClientSession() as session:
            yield cls(session, url, token)

    def as_another(self, token: str) -> "Client":
        return Client(self.session, self.url, token)

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        url = path if path.startswith("http") else self.url + path
        async with self.session.request(method, url, headers=headers, **options) as response:
            body = await response.read()
        secrets.remember_links(body)
        return Answer(response.status, response.headers, body)

    async def upload(
        self,
        path: str,
        data: bytes,
        *,
        name: str = "file.bin",
        content_type: str = "application/octet-stream",
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", io.BytesIO(data), filename=name, content_type=content_type)
        for field, value in (fields or {}).items():
            form.add_field(field, value)
        return await self.request("POST", path, data=form, headers=dict(headers or {}))

    async def resource(self, upload_id: str) -> Any:
        answer = await self.request("GET", f"/gateway/uploads/{upload_id}")
        assert answer.status == 200, answer.body
        return answer.json()

    async def end_of(self, upload_id: str) -> Any:
        """The upload resource once it is at an end."""
        async with asyncio.timeout(PATIENCE):
            while (resource := await self.resource(upload_id))["state"] not in ENDS:
                await asyncio.sleep(0.05)
        return resource
