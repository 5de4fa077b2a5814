"""The promises of the parsers, for any bytes.

Each target takes any bytes and raises AssertionError if a promise is broken. If our parser has no
doubt, other libraries may refuse the input, but may not read it differently.
"""

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from fuzz.feeding import Scanned, bytewise, form, outcome
from fuzz.media import told
from fuzz.oracles import ORACLES, Reading
from gateway.multipart import (
    Declared,
    InvalidBoundary,
    LimitExceeded,
    declared_boundaries,
    is_multipart_form,
)
from gateway.multipart.filenames import stands_for
from gateway.multipart.headers import PartHead, parse_head, parse_head_fully
from gateway.uploads.excerpt import Piece
from gateway.uploads.names import LONGEST, content_disposition, safe_name
from workers import containers
from workers.containers import TAIL_BYTES, Container
from workers.media import MOST_REQUESTS

BOUNDARY: Final = b"x1"
DECLARATIONS: Final = (
    Declared((BOUNDARY,)),
    Declared(()),
    Declared((b"x", BOUNDARY)),
    Declared((BOUNDARY,), other_type=True),
)
_ESCAPED: Final = frozenset('%\\/"\r\n')
"""Quotes and paths, which some libraries unescape and some cut off."""

Part = tuple[str | None, str | None, bytes]


def scanner(data: bytes) -> None:
    """Cuts change nothing; no library sees more than ours does, unless ours reports a doubt.

    The first byte says which boundaries are declared, the second how long the chunks are.
    """
    if len(data) < 2:
        return
    declared, size, body = DECLARATIONS[data[0] % len(DECLARATIONS)], data[1], data[2:]
    whole = outcome([body], declared)
    chunks = [body[i : i + size] for i in range(0, len(body), size)] if size else bytewise(body)
    assert outcome(chunks, declared) == whole
    if isinstance(whole, Scanned) and not whole.ambiguities:
        assert whole.complete
        boundary = BOUNDARY if declared.candidates else _undeclared(body)
        _seen_alike(body, boundary, whole.contents)


def headers(data: bytes) -> None:
    """A part's headers are read without an error; all libraries agree on undoubted ones."""
    head = parse_head(data)
    assert head == parse_head_fully(data)
    _is_served_safely(head)
    if not head.ambiguities and b"\r\n\r\n" not in data and data:
        part = b"--" + BOUNDARY + b"\r\n" + data + b"\r\n\r\ncontent\r\n"
        read = (head.disposition.name, head.disposition.filename, b"content")
        _seen_alike(form(part, boundary=BOUNDARY), BOUNDARY, [read])


def content_type(data: bytes) -> None:
    """A Content-Type gives valid boundaries, or InvalidBoundary."""
    value = data.decode("latin-1")
    with suppress(InvalidBoundary):
        declared = declared_boundaries(value)
        assert all(0 < len(each) <= 70 and each.isascii() for each in declared.candidates)
        assert len(set(declared.candidates)) == len(declared.candidates)
        assert is_multipart_form(value) or declared.other_type
        with suppress(LimitExceeded):
            outcome([b"--a\r\n\r\n"], declared)


def archive(data: bytes) -> None:
    """An archive is judged within its limits; if it is not ambiguous, `zipfile` agrees."""
    found = _judged(data)
    if found is None or found.ambiguous:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            names = [info.orig_filename for info in opened.infolist()]
            starts = [info.header_offset for info in opened.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):
        return
    directory = containers.find_directory(data[-TAIL_BYTES:], len(data))
    assert directory is not None
    listed = data[directory.start : directory.start + directory.size]
    ours = list(containers.central_entries(listed))
    assert len(names) == len(ours) == len(set(names))
    assert starts == [entry.offset for entry in ours]
    assert all(data.startswith(b"PK\x03\x04", start) for start in starts)


def media(data: bytes) -> None:
    """A reader of media asks for little, raises nothing, and its certain verdicts do not change.

    The first byte says how much of the file is read in advance.
    """
    known, file = 16 * (data[0] if data else 0), data[1:]
    whole = told(file, known)
    for requests in range(MOST_REQUESTS):
        found = told(file, known, requests)
        assert found is None or not found.certain or found == whole


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "scanner": scanner,
    "headers": headers,
    "content_type": content_type,
    "archive": archive,
    "media": media,
}


def _undeclared(body: bytes) -> bytes:
    """The boundary that is in the first line only."""
    return body.partition(b"\r\n")[0].removeprefix(b"--")


def _seen_alike(body: bytes, boundary: bytes, ours: Reading) -> None:
    for library, read in ORACLES.items():
        theirs = read(body, boundary)
        if theirs is not None:
            assert len(theirs) == len(ours), library
            for their_part, our_part in zip(theirs, ours, strict=True):
                assert _same(their_part, our_part), library


def _same(theirs: Part, ours: Part) -> bool:
    (name, filename, data), (own_name, own_filename, own_data) = theirs, ours
    if data != own_data or not _same_text(name, own_name):
        return False
    return _same_text(filename, own_filename) or _stands_for(filename, own_filename)


def _same_text(theirs: str | None, ours: str | None) -> bool:
    """Whether they are the same, apart from what each library spells in its own way."""
    text, own_text = theirs or "", ours or ""
    return text == own_text or bool(_ESCAPED & {*text, *own_text})


def _stands_for(theirs: str | None, ours: str | None) -> bool:
    """Whether a library reads only the plain `filename`, which stands for that of `filename*`."""
    return bool(theirs and ours) and stands_for(theirs or "", ours or "")


def _is_served_safely(head: PartHead) -> None:
    path = not head.disposition.escaped
    name = safe_name(head.disposition.filename or "", path=path)
    assert 0 < len(name.encode()) <= LONGEST
    assert not set(name) & set("/\0\r\n")
    assert not path or "\\" not in name
    assert safe_name(name, path=path) == name
    header = content_disposition("attachment", name)
    assert header.isascii()
    assert header.isprintable()


def _judged(data: bytes) -> Container | None:
    directory = containers.find_directory(data[-TAIL_BYTES:], len(data))
    if directory is None or not directory.is_readable:
        return None
    listed = data[directory.start : directory.start + directory.size]
    found = containers.classify(directory, listed, data)
    spans = containers.headers_to_read(
        directory, list(containers.central_entries(listed)), [Piece(0, data[:1])]
    )
    assert all(0 <= start < start + length <= len(data) for start, length in spans)
    confused = containers.is_confused(data[-TAIL_BYTES:], directory)
    return replace(found, ambiguous=found.ambiguous or confused)
