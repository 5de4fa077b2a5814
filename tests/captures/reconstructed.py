"""Requests of clients that do not run on this platform, rebuilt from their source."""

import struct
from collections.abc import Sequence
from typing import Final

BOUNDARY: Final = "alamofire.boundary.6b8b4567327b23c6"


def jpeg(comment: bytes) -> bytes:
    """The segments of a JPEG file without its picture: enough for a sniffer."""
    app0 = b"JFIF\0" + struct.pack(">BBBHHBB", 1, 1, 0, 1, 1, 0, 0)
    segments = ((b"\xff\xe0", app0), (b"\xff\xfe", comment))
    body = b"".join(marker + struct.pack(">H", len(data) + 2) + data for marker, data in segments)
    return b"\xff\xd8" + body + b"\xff\xd9"


def ios_upload(photos: Sequence[bytes]) -> bytes:
    """ChatKitty's iOS SDK sending `photos` at once: each a `file`, each a JPEG called PNG.

    Source: ChatKitty/chatkitty `libraries/ios` (ChatKittyStream), over Moya and Alamofire.
    """
    head = (
        b'Content-Disposition: form-data; name="file"; filename="file.png"\r\n'
        b"Content-Type: image/png\r\n\r\n"
    )
    delimiter = f"\r\n--{BOUNDARY}".encode()
    parts = delimiter.join(b"\r\n" + head + photo for photo in photos)
    body = delimiter.removeprefix(b"\r\n") + parts + delimiter + b"--\r\n"
    request = (
        "POST /runtime/channels/702/messages HTTP/1.1\r\n"
        "Host: api.chatkitty.com\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        "Grant: WRITE-GRANT\r\n"
        "Accept: */*\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return request.encode() + body
