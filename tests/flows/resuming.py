"""A client that sends a file in several requests, by the draft or by tus."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from urllib.parse import urlsplit

from gateway.stack.probes import says
from tests.flows.client import PATIENCE, Answer, Client
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL

PATH = f"/v1/channels/{CHANNEL}/messages"
DRAFT = {"Upload-Draft-Interop-Version": "8"}


async def begin(
    client: Client, headers: Mapping[str, str] = {}, *, name: str = "cat.png"
) -> Answer:
    own = {
        "Upload-Draft-Interop-Version": "8",
        "Upload-Complete": "?0",
        "Content-Type": "image/png",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    answer = await client.request(
        "POST", f"/gateway/raw{PATH}?groupTag=cats", headers=own | dict(headers)
    )
    assert answer.status == 201, answer.body
    return answer


async def patch(client: Client, url: str, offset: int, data: bytes, *, last: bool) -> Answer:
    headers = {
        "Upload-Draft-Interop-Version": "8",
        "Upload-Offset": str(offset),
        "Upload-Complete": "?1" if last else "?0",
        "Content-Type": "application/partial-upload",
    }
    return await client.request("PATCH", url, data=BytesIO(data), headers=headers)


async def offset_of(client: Client, url: str) -> int:
    answer = await client.request("HEAD", url, headers={"Upload-Draft-Interop-Version": "8"})
    assert answer.status == 204, answer.headers
    return int(answer.headers["Upload-Offset"])


@asynccontextmanager
async def sending(
    client: Client, path: str, offset: int, data: bytes, length: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A PATCH that announces `length` bytes and has sent `data`; its connection stays open."""
    server = urlsplit(client.url)
    reader, writer = await asyncio.open_connection(server.hostname, server.port)
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: {server.netloc}\r\n"
        f"Authorization: Bearer {client.token}\r\nUpload-Draft-Interop-Version: 8\r\n"
        f"Content-Type: application/partial-upload\r\nUpload-Complete: ?1\r\n"
        f"Upload-Offset: {offset}\r\nContent-Length: {length}\r\n\r\n"
    )
    writer.write(head.encode() + data)
    await writer.drain()
    try:
        yield reader, writer
    finally:
        writer.close()


async def send_cut(
    gateway: Gateway, client: Client, path: str, offset: int, data: bytes, announced: int
) -> None:
    """A PATCH that announces `announced` bytes, and is cut off after `data`.

    The gateway closes the connection as soon as it sees the cut. Only its log says when it has
    handled what came before: until then, another request for the offset could come first.
    """
    known = gateway.log.stat().st_size
    async with sending(client, path, offset, data, announced) as (_, writer):
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            while not says(gateway.log, known, f'"PATCH","path":"{path}"'):
                await asyncio.sleep(0.02)


FORM_TYPE = "multipart/form-data; boundary=----cut"


def form_of(data: bytes, *, name: str = "cat.png") -> bytes:
    """A form with that file, and with a field on either side of it."""
    line = b"\r\n------cut"
    disposition = b'\r\nContent-Disposition: form-data; name="%b"'
    before = line[2:] + disposition % b"groupTag" + b"\r\n\r\ncats"
    filename = f'; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'.encode()
    file = line + disposition % b"file" + filename + data
    after = line + disposition % b"properties" + b'\r\n\r\n{"a":1}'
    return before + file + after + line + b"--\r\n"


async def begin_form(
    client: Client, headers: Mapping[str, str] = {}, data: bytes = b"", *, path: str = PATH
) -> Answer:
    own = DRAFT | {"Upload-Complete": "?0", "Content-Type": FORM_TYPE}
    body = BytesIO(data) if data else None
    answer = await client.request("POST", path, data=body, headers=own | dict(headers))
    assert answer.status == 201, answer.body
    return answer


TUS = {"Tus-Resumable": "1.0.0"}
CONTENT = {"Content-Type": "application/offset+octet-stream"}


def metadata(**pairs: str) -> dict[str, str]:
    written = (f"{name} {b64encode(text.encode()).decode()}" for name, text in pairs.items())
    return {"Upload-Metadata": ",".join(written)}


async def create(
    client: Client, headers: Mapping[str, str], data: bytes = b"", *, name: str = "cat.png"
) -> Answer:
    more = metadata(filename=name, filetype="image/png", groupTag="cats")
    content = CONTENT if data else {}
    return await client.request(
        "POST",
        f"/gateway/tus{PATH}",
        data=BytesIO(data) if data else None,
        headers=TUS | more | content | dict(headers),
    )


async def tus_patch(
    client: Client, url: str, offset: int, data: bytes, headers: Mapping[str, str] = {}
) -> Answer:
    own = TUS | CONTENT | {"Upload-Offset": str(offset)} | dict(headers)
    return await client.request("PATCH", url, data=BytesIO(data), headers=own)
