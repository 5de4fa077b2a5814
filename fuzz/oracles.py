"""How other parsers read a body: its parts, or None if they refuse it or find no end."""

from collections.abc import Callable
from email import policy
from email.parser import BytesParser
from typing import TypeAlias

import multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

Reading: TypeAlias = list[tuple[str | None, str | None, bytes]]


def python_multipart(body: bytes, boundary: bytes) -> Reading | None:
    """By python-multipart, which Starlette uses."""
    parts: Reading = []
    headers: list[tuple[bytes, bytes]] = []
    collected = {"field": b"", "value": b"", "data": b""}
    ended = []

    def collect(what: str) -> Callable[[bytes, int, int], None]:
        def callback(data: bytes, start: int, end: int) -> None:
            collected[what] += data[start:end]

        return callback

    def end_header() -> None:
        headers.append((collected["field"].lower(), collected["value"]))
        collected.update(field=b"", value=b"")

    def end_part() -> None:
        _, options = parse_options_header(dict(reversed(headers)).get(b"content-disposition"))
        name, filename = options.get(b"name"), options.get(b"filename")
        parts.append(
            (
                None if name is None else name.decode("utf-8", "replace"),
                None if filename is None else filename.decode("utf-8", "replace"),
                collected["data"],
            )
        )
        headers.clear()
        collected["data"] = b""

    try:
        parser = MultipartParser(
            boundary,
            {
                "on_header_field": collect("field"),
                "on_header_value": collect("value"),
                "on_part_data": collect("data"),
                "on_header_end": end_header,
                "on_part_end": end_part,
                "on_end": lambda: ended.append(True),
            },
            max_header_count=100,
            max_header_size=10_000,
        )
        parser.write(body)
    except FormParserError:
        return None
    return parts if ended else None


def push_multipart(body: bytes, boundary: bytes) -> Reading | None:
    """By the package `multipart`."""
    parts: Reading = []
    try:
        with multipart.PushMultipartParser(
            boundary, max_header_count=100, max_header_size=10_000
        ) as parser:
            for event in parser.parse(body):
                match event:
                    case multipart.MultipartSegment():
                        head = (event.name or None, event.filename)
                        data = b""
                    case None:
                        parts.append((*head, data))
                    case _:
                        data += event
    except multipart.MultipartError:
        return None
    return parts


def werkzeug(body: bytes, boundary: bytes) -> Reading | None:
    """By Werkzeug, which Flask uses."""
    parts: Reading = []
    decoder = MultipartDecoder(boundary)
    decoder.receive_data(body)
    decoder.receive_data(None)
    try:
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            match event:
                case File() | Field():
                    head = (event.name, getattr(event, "filename", None))
                    data = b""
                case Data():
                    data += event.data
                    if not event.more_data:
                        parts.append((*head, data))
    except (ValueError, AttributeError):  # some broken bodies make its own code fail
        return None
    return parts


def email(body: bytes, boundary: bytes) -> Reading | None:
    """By the rules for mail, by which many servers once read forms."""
    head = b'Content-Type: multipart/form-data; boundary="' + boundary + b'"\r\n\r\n'
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    if message.defects or not message.is_multipart():
        return None
    parts: Reading = []
    for part in message.iter_parts():
        if part.is_multipart():
            return None
        disposition = part["Content-Disposition"]
        name = disposition.params.get("name") if disposition is not None else None
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        parts.append((name, part.get_filename(), data))
    return parts


ORACLES = {"python-multipart": python_multipart, "multipart": push_multipart, "Werkzeug": werkzeug}

LENIENT = {"email": email}
"""It is made for mail: it strips blanks off names, and accepts no empty form. Parsers made for
forms agree with each other there.
"""
