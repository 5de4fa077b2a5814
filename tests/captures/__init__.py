"""What real ChatKitty clients send: `<client>-<version>-<case>.http`, byte for byte.

Beside each stands `<same>.json`: the request's Content-Type, and the parts as they were given to
the client, computed from the files and fields, not by parsing the request. A `filename` there is
the file's own name; the client may have escaped it on the wire (curl: `"` as `%22`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """One part as it was given to the client; `size` in bytes, `sha256` in hex."""

    name: str
    filename: str | None
    content_type: str | None
    size: int
    sha256: str


@dataclass(frozen=True)
class Capture:
    """One request of one real client.

    `chunks` is the body as the client cut it into HTTP chunks (one, where it sent a length).
    `ambiguous`: two readers could see different parts in the body.
    """

    name: str
    request: bytes
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[bytes, ...]
    content_type: str
    parts: tuple[Part, ...]
    ambiguous: bool

    @property
    def body(self) -> bytes:
        """The body without its transfer coding."""
        return b"".join(self.chunks)


def load_all() -> list[Capture]:
    """Every capture, by name."""
    return [_load(path) for path in sorted(HERE.glob("*.http"))]


def _load(path: Path) -> Capture:
    request = path.read_bytes()
    head, _, body = request.partition(b"\r\n\r\n")
    fields = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    headers = tuple((name, value) for name, _, value in fields)
    chunked = ("transfer-encoding", "chunked") in ((n.lower(), v) for n, v in headers)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    return Capture(
        name=path.stem,
        request=request,
        headers=headers,
        chunks=_chunks(body) if chunked else (body,),
        content_type=sidecar["content_type"],
        parts=tuple(Part(**part) for part in sidecar["parts"]),
        ambiguous=sidecar["ambiguous"],
    )


def _chunks(coded: bytes) -> tuple[bytes, ...]:
    """Undo the chunked transfer coding of a well-behaved client (RFC 9112 section 7.1)."""
    chunks: list[bytes] = []
    while True:
        size_line, _, coded = coded.partition(b"\r\n")
        size = int(size_line, 16)
        if size == 0:
            return tuple(chunks)
        chunks.append(coded[:size])
        coded = coded[size + 2 :]
