"""Multipart bodies as clients write them."""

from dataclasses import dataclass

BOUNDARY = "----boundary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Part:
    """One part of a form; `filename` None for a field."""

    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None


def encode(*parts: Part) -> bytes:
    """The body of the parts in their order."""
    out = bytearray()
    for part in parts:
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part.name}"'.encode()
        if part.filename is not None:
            out += f'; filename="{part.filename}"'.encode()
        if part.content_type is not None:
            out += f"\r\nContent-Type: {part.content_type}".encode()
        out += b"\r\n\r\n" + part.data + b"\r\n"
    return bytes(out + f"--{BOUNDARY}--\r\n".encode())


def cut(body: bytes, size: int) -> list[bytes]:
    """The body in chunks of `size` bytes."""
    return [body[at : at + size] for at in range(0, len(body), size)]
