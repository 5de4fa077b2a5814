"""The scanner on what real clients send, at its limits, and what it holds back."""

import pytest

from fuzz.feeding import (
    BOUNDARY,
    Scanned,
    bytewise,
    every_cut,
    form,
    part,
    raw_part,
    scan,
    scan_every_way,
)
from gateway.multipart import (
    Declared,
    EpilogueTooLong,
    HeadersTooLong,
    InvalidBoundary,
    LimitExceeded,
    Limits,
    MultipartError,
    NameTooLong,
    PartBegin,
    PartData,
    PartEnd,
    PreambleTooLong,
    Scanner,
    TooManyHeaders,
    TooManyParts,
    declared_boundaries,
)

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\r\n\r\n--\r\n"


def accepted(body: bytes, content_type: str = "") -> Scanned:
    """What is scanned of a body that nobody can misunderstand, however it is cut."""
    declared = declared_boundaries(content_type) if content_type else None
    result = scan_every_way(body, declared)
    assert isinstance(result, Scanned)
    assert result.ambiguities == ()
    assert result.complete
    return result


def test_a_file_and_its_fields_come_out_as_they_were_put_in() -> None:
    body = form(
        part(PNG, filename="a.png", content_type="image/png"),
        part(b'"g1"', "groupTag"),
        part(b"", "properties"),
    )
    assert accepted(body).contents == [
        ("file", "a.png", PNG),
        ("groupTag", None, b'"g1"'),
        ("properties", None, b""),
    ]


def test_a_part_begins_with_what_its_headers_say() -> None:
    head = b"content-DISPOSITION:form-data; name=file\r\nX-Trace:  a b \r\nContent-Type: text/plain"
    [found] = accepted(raw_part(head)).parts
    assert found.begin == PartBegin(
        name="file",
        filename=None,
        content_type="text/plain",
    )


def test_a_chunk_of_file_bytes_is_one_event_over_that_very_chunk() -> None:
    scanner = Scanner(Declared((BOUNDARY,)))
    scanner.receive_data(part(b"x")[:-2])
    chunk = bytes(65536)
    [event] = scanner.receive_data(chunk)
    assert isinstance(event, PartData)
    assert event.chunk is chunk
    assert (event.start, event.end) == (0, 65536)
    assert event.data is chunk


def test_a_chunk_with_a_whole_form_is_given_by_indexes() -> None:
    body = form(part(b"0123"), part(b"456", "tag"))
    events = Scanner(Declared((BOUNDARY,))).receive_data(body)
    data = [event for event in events if isinstance(event, PartData)]
    assert [event.chunk is body for event in data] == [True, True]
    assert [event.data for event in data] == [b"0123", b"456"]
    assert [event.size for event in events if isinstance(event, PartEnd)] == [4, 3]


def test_without_a_boundary_parameter_the_first_line_tells_it() -> None:
    # chatkitty-platform-sdk 2.4.0 on Node: `Content-Type: multipart/form-data`, chunked.
    boundary = b"--------------------------4f1c0e8bb31b2b1b9d0a4d41"
    body = form(
        part(b"[]", filename="import.json", content_type="application/json", boundary=boundary),
        boundary=boundary,
    )
    assert accepted(body, "multipart/form-data").contents == [("file", "import.json", b"[]")]


def test_of_two_boundary_parameters_the_first_line_tells_which() -> None:
    # curl 7.88.1 with `-H 'Content-Type: multipart/form-data; boundary=mine'`.
    boundary = b"------------------------4672aa91bc03de5f"
    body = form(part(PNG, filename="a.png", boundary=boundary), boundary=boundary)
    for content_type in (
        f"multipart/form-data; boundary=mine; boundary={boundary.decode()}",
        f"multipart/form-data; boundary={boundary.decode()}; boundary=mine",
    ):
        assert accepted(body, content_type).contents == [("file", "a.png", PNG)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"-",
        b"--\r\n",
        b"no delimiter\r\n",
        form(part(b"x")).lstrip(b"-"),
        b"\r\n" + form(part(b"x")),
        b"--" + b"a" * 71 + b"\r\n\r\n",
        b"--" + b"a" * 500,
        b"--ends in a blank \r\n\r\n",
        b"--not*a*boundary\r\n\r\n",
        b"--bare\n\n\n",
    ],
)
def test_without_any_boundary_there_is_nothing_to_go_by(body: bytes) -> None:
    assert scan_every_way(body, Declared(())) is InvalidBoundary


@pytest.mark.parametrize("boundary", [b"a", b"a b", b"'()+_,-./:=?", b"-" * 70, b"x" * 70])
def test_every_legal_boundary_serves(boundary: bytes) -> None:
    body = form(
        part(b"1\r\n--", boundary=boundary), part(b"", boundary=boundary), boundary=boundary
    )
    for declared in (Declared((boundary,)), Declared(()), Declared((b"other", boundary))):
        result = scan_every_way(body, declared)
        assert isinstance(result, Scanned)
        assert result.ambiguities == ()
        assert [found.data for found in result.parts] == [b"1\r\n--", b""]


def test_a_short_preamble_and_an_epilogue_are_no_parts() -> None:
    body = b"for those who see this\r\n-- \r\n" + form(part(b"x")) + b"--\r\nbye\r\n"
    assert accepted(body).contents == [("file", None, b"x")]


def test_a_form_may_be_empty_and_end_without_a_line_break() -> None:
    assert accepted(b"--" + BOUNDARY + b"--").parts == []
    assert accepted(form(part(b"x")).removesuffix(b"\r\n")).contents == [("file", None, b"x")]


@pytest.mark.parametrize(
    "data",
    [
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\r\n\n",
        b"\r\n--",
        b"\r\n--" + BOUNDARY[:-1],
        b"\r\n" * 3 + b"--",
        b"--" + BOUNDARY[:-1] + b"\r",
        b"x--" + BOUNDARY,
        b"x--" + BOUNDARY + b"\r\n--" + BOUNDARY[:-1],
        b"x--" + BOUNDARY + b"--\r\n",
        (b"x--" + BOUNDARY) * 3 + b"\r",
        b"\r\n -" + BOUNDARY,
    ],
)
def test_what_only_resembles_a_delimiter_is_data(data: bytes) -> None:
    assert accepted(form(part(data), part(b"", "b"), part(data, "c"))).contents == [
        ("file", None, data),
        ("b", None, b""),
        ("c", None, data),
    ]


def test_never_more_is_held_back_than_begins_a_delimiter() -> None:
    units = (b"\r", b"\r\n", b"\r\n--" + BOUNDARY[:-1], b"\r\n--", b"A\r", b"x--" + BOUNDARY)
    for data in (unit * 40 for unit in units):
        scanner = Scanner(Declared((BOUNDARY,)))
        scanner.receive_data(part(b"")[:-2])
        given = 0
        for fed, byte in enumerate(bytewise(data), start=1):
            events = scanner.receive_data(byte)
            given += sum(len(e.data) for e in events if isinstance(e, PartData))
            assert fed - given <= len(BOUNDARY) + 4


LIMITS: dict[type[LimitExceeded], tuple[Limits, bytes, bytes]] = {
    TooManyParts: (
        Limits(max_parts=2),
        form(part(b"1"), part(b"2")),
        form(part(b"1"), part(b"2"), part(b"3")),
    ),
    HeadersTooLong: (
        Limits(max_header_bytes=44),
        raw_part(b'Content-Disposition: form-data; name="12345"'),
        raw_part(b'Content-Disposition: form-data; name="123456"'),
    ),
    TooManyHeaders: (
        Limits(max_header_count=2),
        raw_part(b"Content-Disposition: form-data; name=a\r\nA: 1"),
        raw_part(b"Content-Disposition: form-data; name=a\r\nA: 1\r\nB: 2"),
    ),
    NameTooLong: (Limits(max_name_length=4), form(part(b"", "file")), form(part(b"", "file5"))),
    PreambleTooLong: (
        Limits(max_preamble_bytes=4),
        b"1234\r\n" + form(part(b"1")),
        b"12345\r\n" + form(part(b"1")),
    ),
    EpilogueTooLong: (
        Limits(max_epilogue_bytes=4),
        form(part(b"1")) + b"12",
        form(part(b"1")) + b"123",
    ),
}


@pytest.mark.parametrize("error", LIMITS)
def test_a_limit_is_kept_to_the_unit(error: type[LimitExceeded]) -> None:
    limits, within, beyond = LIMITS[error]
    result = scan_every_way(within, limits=limits)
    assert isinstance(result, Scanned)
    assert result.complete
    assert scan_every_way(beyond, limits=limits) is error


def scan_on(scanner: Scanner, more: bytes) -> None:
    """Feed without coming to an end."""
    for chunk in bytewise(more):
        scanner.receive_data(chunk)


def test_a_limit_is_enforced_when_passed_and_not_at_the_end() -> None:
    endless: dict[type[MultipartError], tuple[bytes, bytes]] = {
        PreambleTooLong: (b"", b"\r\n"),
        HeadersTooLong: (b"--" + BOUNDARY + b"\r\n", b"a"),
        EpilogueTooLong: (form(part(b"")), b"\r\n"),
        TooManyParts: (b"", part(b"")),
    }
    for error, (opening, unit) in endless.items():
        scanner = Scanner(Declared((BOUNDARY,)))
        scanner.receive_data(opening)
        with pytest.raises(error):
            scan_on(scanner, unit * 20_000)


def test_a_first_line_without_a_boundary_is_refused_when_it_is_too_long_to_have_one() -> None:
    with pytest.raises(InvalidBoundary):
        Scanner(Declared(())).receive_data(b"--" + b"a" * 72)


def test_a_part_that_the_body_cuts_off_has_its_bytes_but_no_end() -> None:
    for chunks in every_cut(part(b"0123") + b"--" + BOUNDARY):
        [found] = (scanned := scan(chunks)).parts
        assert found.data == b"0123\r\n--" + BOUNDARY
        assert found.size is None
        assert not scanned.complete


@pytest.mark.parametrize("size", range(len(PNG) + 1))
def test_a_scanner_goes_on_behind_bytes_that_another_one_read(size: int) -> None:
    body = form(part(PNG, filename="a.png"), part(b"g1", "groupTag"))
    scanner = Scanner(Declared((BOUNDARY,)))
    begin = body.index(PNG)
    scanner.receive_data(body[:begin])
    assert scanner.begin_of(1) == begin
    scanner.skip(size)
    events = scanner.receive_data(body[begin + size :])
    data = b"".join(event.data for event in events if isinstance(event, PartData))
    assert data == PNG[size:] + b"g1"
    assert scanner.complete
    assert scanner.ambiguities == ()


def test_nothing_can_be_skipped_before_the_boundary_is_known() -> None:
    scanner = Scanner(Declared((BOUNDARY, b"other")))
    with pytest.raises(ValueError, match="not known yet"):
        scanner.skip(1)
    with pytest.raises(ValueError, match="not known yet"):
        scanner.begin_of(1)
