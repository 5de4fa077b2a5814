"""Requests of mobile clients, rebuilt from their sources: what each does that others do not.

The draft's headers stand where iOS sends them: with each upload task, of which Alamofire makes all
its uploads.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.captures import Part
from tests.captures.reconstructed import jpeg

PHOTO: Final = jpeg(b"of a phone")
HEIC: Final = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08free"
PDF: Final = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


@dataclass(frozen=True)
class Piece:
    """A part as it was given to a client, and the header lines that the client wrote for it."""

    name: str
    content: bytes
    lines: Sequence[str]
    filename: str | None = None
    content_type: str | None = None

    @property
    def given(self) -> Part:
        """The part, as a sidecar has it."""
        digest = hashlib.sha256(self.content).hexdigest()
        return Part(self.name, self.filename, self.content_type, len(self.content), digest)


@dataclass(frozen=True)
class Mobile:
    """One request of one client; `name` is the capture's file name.

    `ambiguous`: two readers see different things in it. `end` follows the closing delimiter.
    """

    name: str
    boundary: str
    lines: Sequence[str]
    pieces: Sequence[Piece]
    ambiguous: bool = False
    end: bytes = b"\r\n"

    @property
    def body(self) -> bytes:
        """The form."""
        delimiter = f"--{self.boundary}\r\n".encode()
        parts = (
            delimiter
            + "".join(f"{line}\r\n" for line in piece.lines).encode()
            + b"\r\n%b\r\n" % piece.content
            for piece in self.pieces
        )
        return b"".join(parts) + f"--{self.boundary}--".encode() + self.end

    @property
    def request(self) -> bytes:
        """All of it; `{length}` in a line is the body's."""
        head = ["POST /v1/channels/702/messages HTTP/1.1", *self.lines, "Content-Length: {length}"]
        text = "".join(f"{line}\r\n" for line in head) + "\r\n"
        return text.replace("{length}", str(len(self.body))).encode() + self.body


_WHO: Final = ("Host: uploads.example.com", "Authorization: Bearer ACCESS-TOKEN")


def _okhttp(content_type: str, version: str) -> tuple[str, ...]:
    return (
        _WHO[1],
        f"Content-Type: {content_type}",
        _WHO[0],
        "Connection: Keep-Alive",
        "Accept-Encoding: gzip",
        f"User-Agent: okhttp/{version}",
    )


def mobiles() -> Iterator[Mobile]:
    """Every request."""
    yield from _apple()
    yield from _android()
    yield from _flutter()
    yield from _react_native()


def _apple() -> Iterator[Mobile]:
    alamofire = "alamofire.boundary.0c7d2f3a91b4e865"
    task = (
        *_WHO,
        f"Content-Type: multipart/form-data; boundary={alamofire}",
        "Accept-Encoding: br;q=1.0, gzip;q=0.9, deflate;q=0.8",
        "User-Agent: Chat/4.1 (com.example.chat; build:7; iOS 26.2.0) Alamofire/5.12.0",
        "Upload-Draft-Interop-Version: 8",
        "Upload-Complete: ?1",
        "Upload-Length: {length}",
    )
    tag = Piece("groupTag", b"cats", ['Content-Disposition: form-data; name="groupTag"'])
    for case, filename in (("upload-task", "이름 (1).jpg"), ("quote", '5" pipe.jpg')):
        photo = Piece(
            "file",
            PHOTO,
            # It escapes nothing.
            [
                f'Content-Disposition: form-data; name="file"; filename="{filename}"',
                "Content-Type: image/jpeg",
            ],
            filename,
            "image/jpeg",
        )
        yield Mobile(f"alamofire-5.12-{case}", alamofire, task, [photo, tag], case == "quote")
    own = "Boundary-3F2504E0-4F89-11D3-9A0C-0305E82C3301"
    lines = (
        *_WHO,
        f'Content-Type: multipart/form-data; boundary="{own}"',
        "Accept: */*",
        "User-Agent: Chat/4.1 CFNetwork/1410.0.3 Darwin/22.6.0",
        "Upload-Draft-Interop-Version: 3",
        "Upload-Incomplete: ?0",
    )
    photo = Piece(
        "file",
        PHOTO,
        [
            'Content-Disposition: form-data; name="file"; filename="IMG_0042.JPG"',
            "Content-Type: image/jpg",
        ],
        "IMG_0042.JPG",
        "image/jpg",
    )
    yield Mobile("urlsession-ios17-by-hand", own, lines, [photo], end=b"")


def _android() -> Iterator[Mobile]:
    boundary = "5f0c3a4e-0d6b-4f3c-8d0c-3b5a1f0f9b11"
    form = f"multipart/form-data; boundary={boundary}"
    photo = Piece(
        "file",
        PHOTO,
        [
            'Content-Disposition: form-data; name="file"; filename="фото.jpg"',
            "Content-Type: image/jpeg",
        ],
        "фото.jpg",
        "image/jpeg",
    )
    tag = Piece("groupTag", b"cats", ['Content-Disposition: form-data; name="groupTag"'])
    yield Mobile("okhttp-5.4-form", boundary, _okhttp(form, "5.4.0"), [photo, tag])
    quoted = Piece(
        "groupTag",
        b'"cats"',
        [
            'Content-Disposition: form-data; name="groupTag"',
            "Content-Transfer-Encoding: binary",
            "Content-Type: application/json; charset=UTF-8",
            "Content-Length: 6",
        ],
        content_type="application/json; charset=UTF-8",
    )
    measured = Piece(
        "file",
        PHOTO,
        [
            'Content-Disposition: form-data; name="file"; filename="photo.jpg"',
            "Content-Type: image/jpeg",
            f"Content-Length: {len(PHOTO)}",
        ],
        "photo.jpg",
        "image/jpeg",
    )
    lines = _okhttp(form, "4.12.0")
    yield Mobile("retrofit-okhttp-4.12-json-fields", boundary, lines, [quoted, measured])
    ktor = "-1f3a5c7d2b9e-4c07d1e5a-6b3f9012-7d4c8e1a3f5b-2c9d0e7f1a6b4c8d0e"
    properties = Piece(
        "properties",
        b'{"a":1}',
        ['Content-Disposition: form-data; name="properties"', "Content-Length: 7"],
    )
    given = Piece(
        "file",
        PDF,
        [
            'Content-Disposition: form-data; name="file"; filename="a \\"b\\".pdf"',
            "Content-Type: application/pdf",
            f"Content-Length: {len(PDF)}",
        ],
        'a "b".pdf',
        "application/pdf",
    )
    head = (
        *_WHO,
        f"Content-Type: multipart/form-data; boundary={ktor}",
        "Accept: */*",
        "Accept-Charset: UTF-8",
        "User-Agent: ktor-client",
    )
    yield Mobile("ktor-3-dash-first", ktor, head, [properties, given])


def _flutter() -> Iterator[Mobile]:
    http = "dart-http-boundary-Zk+w_9.a-Qm3Lr0xTgUvYb7cN2dEhJ5iKoPsB8fWtC6qA1ZaB3d"
    tag = Piece(
        "groupTag",
        "gâteaux".encode(),
        [
            'content-disposition: form-data; name="groupTag"',
            "content-type: text/plain; charset=utf-8",
            "content-transfer-encoding: binary",
        ],
        content_type="text/plain; charset=utf-8",
    )
    plan = Piece(
        "file",
        PDF,
        [
            "content-type: application/octet-stream",
            'content-disposition: form-data; name="file"; filename="plan %22A%22.pdf"',
        ],
        'plan "A".pdf',
        "application/octet-stream",
    )

    def lines(boundary: str) -> tuple[str, ...]:
        return (
            "user-agent: Dart/3.9 (dart:io)",
            f"content-type: multipart/form-data; boundary={boundary}",
            "accept-encoding: gzip",
            "authorization: Bearer ACCESS-TOKEN",
            "host: uploads.example.com",
        )

    yield Mobile("dart-http-1.6-fields-first", http, lines(http), [tag, plan])
    dio = "--dio-boundary-0042424242"
    photo = Piece(
        "file",
        PHOTO,
        [
            'content-disposition: form-data; name="file"; filename="IMG_1.jpg"',
            "content-type: image/jpeg",
            "x-taken-at: 2026-01-01",
        ],
        "IMG_1.jpg",
        "image/jpeg",
    )
    yield Mobile("dio-5.11-fields-first", dio, lines(dio), [tag, photo])


def _react_native() -> Iterator[Mobile]:
    boundary = "7d1f60c2-8a35-4e09-b6f4-1c2d3e4f5a6b"
    lines = _okhttp(f"multipart/form-data; boundary={boundary}", "4.12.0")
    name = "이름 (1).heic"
    encoded = "%EC%9D%B4%EB%A6%84%20(1).heic"
    agent = "user-agent: ExampleApp/4.1 (Android 16)"
    tag = Piece(
        "groupTag",
        b"cats",
        ['content-disposition: form-data; name="groupTag"', agent, "Content-Length: 4"],
    )
    photo = Piece(
        "file",
        HEIC,
        [
            f'content-disposition: form-data; name="file"; filename="{encoded}"',
            agent,
            "Content-Type: image/heic",
            f"Content-Length: {len(HEIC)}",
        ],
        name,
        "image/heic",
    )
    yield Mobile("rn-0.77-android-agent", boundary, lines, [photo, tag])
    both = Piece(
        "file",
        PHOTO,
        [
            (
                'content-disposition: form-data; name="file"; filename="이름.jpg"'
                "; filename*=utf-8''%EC%9D%B4%EB%A6%84.jpg"
            ),
            "Content-Type: image/jpeg",
            f"Content-Length: {len(PHOTO)}",
        ],
        "이름.jpg",
        "image/jpeg",
    )
    yield Mobile("rn-0.75-android-both-names", boundary, lines, [both])
    ios = "T0-TWU85o9aL_ODGaZpwR7qXYAivaSWig7MDa6.kQ3nB1xZc4vF8hJ2mP5sD9gL0eK6rTy"
    head = (
        *_WHO,
        f'Content-Type: multipart/form-data; boundary="{ios}"',
        "Accept: */*",
        "User-Agent: ExampleApp/7 CFNetwork/3860.100.1 Darwin/25.0.0",
    )
    pictured = Piece(
        "file",
        HEIC,
        [
            f'content-disposition: form-data; name="file"; filename="{encoded}"',
            "content-type: image/heic",
        ],
        name,
        "image/heic",
    )
    field = Piece("groupTag", b"cats", ['content-disposition: form-data; name="groupTag"'])
    yield Mobile("rn-0.77-ios", ios, head, [field, pictured])
