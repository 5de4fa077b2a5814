"""Uploads a sample file in both deliveries, and prints what happened and how to repeat it."""

import json
import struct
import zlib
from dataclasses import dataclass

import aiohttp

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Sample:
    what: str
    path: str
    name: str
    content_type: str
    data: bytes


async def upload_samples(gateway: str, token: str, channel: int) -> None:
    """Upload a picture to a channel and a list of users as an import, and report both."""
    users = [{"name": "sam@example.com", "displayName": "Sam", "guest": False, "properties": {}}]
    picture = _Sample(
        "a picture, as the channel's route delivers it",
        f"/v1/channels/{channel}/messages",
        "sample.png",
        "image/png",
        sample_png(),
    )
    imported = _Sample(
        "an import, which is always relayed",
        "/v1/imports/users",
        "users.json",
        "application/json",
        json.dumps(users).encode(),
    )
    async with aiohttp.ClientSession(
        gateway,
        headers={"Authorization": f"Bearer {token}"},
        timeout=aiohttp.ClientTimeout(_SECONDS),
    ) as session:
        await _show(session, picture)
        await _show(session, imported)


def sample_png() -> bytes:
    """A PNG of two by two pixels."""
    rows = b"\x00\xff\x99\x00\x33\x66\xff" * 2
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


async def _show(session: aiohttp.ClientSession, sample: _Sample) -> None:
    form = aiohttp.FormData()
    form.add_field("file", sample.data, filename=sample.name, content_type=sample.content_type)
    async with session.post(sample.path, data=form) as answer:
        body = await answer.text()
        upload_id = answer.headers["Upload-Id"]
    async with session.get(f"/gateway/uploads/{upload_id}") as found:
        resource = await found.json()
    states = " -> ".join(change["state"] for change in resource["history"])
    print(f"\n{sample.what}:\n  POST {sample.path} -> {answer.status}\n  {body}")
    print(f"  upload {upload_id}: {resource['delivery']}, {states}")
    print("  again, with a file of yours:")
    print(f"    curl {answer.url} \\")
    authorization = session.headers["Authorization"]
    print(f"      --header 'Authorization: {authorization}' --form 'file=@{sample.name}'")
