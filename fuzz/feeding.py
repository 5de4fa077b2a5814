"""Feeds bodies to the scanner, cut in every way; the results can be compared."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.multipart import (
    DEFAULT_LIMITS,
    Ambiguity,
    Declared,
    Event,
    Limits,
    MultipartError,
    PartBegin,
    PartData,
    PartEnd,
    Scanner,
)

BOUNDARY = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"


@dataclass
class Part:
    """A part put together from its events; `size` is None if it never ended."""

    begin: PartBegin
    data: bytes = b""
    size: int | None = None


@dataclass
class Scanned:
    """The result of a scan: parts, ambiguities, and whether the closing delimiter came."""

    parts: list[Part] = field(default_factory=list)
    ambiguities: tuple[Ambiguity, ...] = ()
    complete: bool = False

    @property
    def contents(self) -> list[tuple[str | None, str | None, bytes]]:
        """Name, filename and data of each part."""
        return [(part.begin.name, part.begin.filename, part.data) for part in self.parts]

    def take(self, events: Iterable[Event]) -> None:
        """Add events to the parts; asserts that their order and sizes are consistent."""
        for event in events:
            match event:
                case PartBegin():
                    assert not self.parts or self.parts[-1].size is not None
                    self.parts.append(Part(event))
                case PartData():
                    assert 0 <= event.start < event.end <= len(event.chunk)
                    assert self.parts[-1].size is None
                    self.parts[-1].data += event.data
                case PartEnd():
                    assert event.size == len(self.parts[-1].data)
                    self.parts[-1].size = event.size


def scan(
    chunks: Iterable[bytes], declared: Declared | None = None, limits: Limits = DEFAULT_LIMITS
) -> Scanned:
    """Scan a body to its end; `declared` is BOUNDARY by default."""
    scanner = Scanner(declared or Declared((BOUNDARY,)), limits)
    scanned = Scanned()
    for chunk in chunks:
        scanned.take(scanner.receive_data(chunk))
    scanned.take(scanner.finish())
    scanned.ambiguities = scanner.ambiguities
    scanned.complete = scanner.complete
    return scanned


def outcome(
    chunks: Iterable[bytes], declared: Declared | None = None, limits: Limits = DEFAULT_LIMITS
) -> Scanned | type[MultipartError]:
    """The result of a scan, or the type of the error that it raises."""
    try:
        return scan(chunks, declared, limits)
    except MultipartError as error:
        return type(error)


def cut(body: bytes, *places: int) -> list[bytes]:
    """The body cut at each of these indexes."""
    edges = [0, *sorted(places), len(body)]
    return [body[begin:end] for begin, end in pairwise(edges)]


def bytewise(body: bytes) -> list[bytes]:
    """The body in chunks of one byte."""
    return [body[i : i + 1] for i in range(len(body))]


def every_cut(body: bytes) -> Iterator[list[bytes]]:
    """The body whole, byte by byte, cut at every single place, and with every single byte alone."""
    yield [body]
    yield bytewise(body)
    for place in range(1, len(body)):
        yield cut(body, place)
        yield cut(body, place, place + 1)


def scan_every_way(
    body: bytes, declared: Declared | None = None, limits: Limits = DEFAULT_LIMITS
) -> Scanned | type[MultipartError]:
    """The outcome, which must be the same however the body is cut."""
    whole = outcome([body], declared, limits)
    for chunks in every_cut(body):
        assert outcome(chunks, declared, limits) == whole, chunks
    return whole


def part(
    data: bytes,
    name: str = "file",
    filename: str | None = None,
    content_type: str | None = None,
    boundary: bytes = BOUNDARY,
) -> bytes:
    """A part as browsers write it, from its delimiter to its data."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if content_type is not None:
        head += f"\r\nContent-Type: {content_type}"
    return b"--" + boundary + b"\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes, boundary: bytes = BOUNDARY) -> bytes:
    """A form of these parts, with its closing delimiter."""
    return b"".join(parts) + b"--" + boundary + b"--\r\n"


def raw_part(head: bytes, data: bytes = b"data") -> bytes:
    """A form of one part with this header block."""
    return form(b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + data + b"\r\n")


def dechunked(body: bytes) -> bytes:
    """The content of a chunked body."""
    content = b""
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return content
        content += body[:size]
        assert body[size : size + 2] == b"\r\n"
        body = body[size + 2 :]
