"""The small files that the real clients send."""

import json
import struct
import zlib
from pathlib import Path
from typing import Final

from tests.clients.drivers import Form

GROUP_TAG: Final = "g1"
PROPERTIES: Final = '{"k":1,"s":"é"}'
# One user as each generation of the API spells it, and as the Python SDK reads it.
USERS: Final = (
    '[{"name":"jane@example.com","displayName":"Jane Doe","guest":false,"properties":{}},'
    '{"name":"joe@example.com","displayName":"Joe Doe","guest":false,"properties":{}}]'
)
SNAKE_CASE_USERS: Final = json.dumps(
    [{"name": "jane@example.com", "display_name": "Jane Doe", "guest": False, "properties": {}}]
)


def png(side: int = 12) -> bytes:
    """A valid grey-scale PNG of `side` by `side` pixels, a few hundred bytes."""
    rows = b"".join(
        b"\0" + bytes((row * column * 7) % 256 for column in range(side)) for row in range(side)
    )
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def write_form(folder: Path, *, snake_case: bool = False, name: str = "f.png") -> Form:
    """Write the file (called `name`) and the import into `folder`."""
    file, users = folder / name, folder / "import.json"
    file.write_bytes(png())
    users.write_text(SNAKE_CASE_USERS if snake_case else USERS)
    return Form(file=file, users=users, group_tag=GROUP_TAG, properties=PROPERTIES)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
