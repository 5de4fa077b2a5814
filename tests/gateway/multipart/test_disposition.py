"""A part's Content-Disposition, value by value."""

import pytest

from gateway.multipart import Ambiguity, Disposition, parse_disposition


@pytest.mark.parametrize(
    ("value", "name", "filename"),
    [
        (b'form-data; name="file"', "file", None),
        (b'form-data; name="file"; filename="a.png"', "file", "a.png"),
        (b'form-data; filename="a.png"; name="file"', "file", "a.png"),
        (b"Form-Data ;name=file;filename=a.png", "file", "a.png"),
        (b'form-data; name="file"; filename=""', "file", ""),
        ('form-data; name="file"; filename="ä\u202e.png"'.encode(), "file", "ä\u202e.png"),
        (b'form-data; name="a%22b%0D%0Ac%25"', 'a"b\r\nc%25', None),
        (b'form-data; name="a\\"b%22\\\\"', 'a"b%22\\', None),
        (b'form-data; name="file"; filename="C:\\x\\y.png"', "file", "C:\\x\\y.png"),
        (b'form-data; name="file"; filename="a;b\\"; name=c"', "file", 'a;b"; name=c'),
        (b"form-data; name=file; filename=a.png; filename*=utf-8'en'a%2Epng", "file", "a.png"),
        ("form-data; name=f; filename=\"ä\"; filename*=ISO-8859-1''%E4".encode(), "f", "ä"),
    ],
)
def test_what_clients_write_is_read_without_doubt(
    value: bytes, name: str, filename: str | None
) -> None:
    assert parse_disposition(value) == Disposition(name, filename)


@pytest.mark.parametrize(
    ("value", "name", "filename", "reason"),
    [
        (b"", None, None, Ambiguity.NAME_MISSING),
        (b'attachment; name="a"', "a", None, Ambiguity.DISPOSITION_TYPE),
        (b'form-data; name="a"; name="b"', "a", None, Ambiguity.PARAMETER_REPEATED),
        (b'form-data; name="a"; x=1; X=2', "a", None, Ambiguity.PARAMETER_REPEATED),
        (b'form-data; name="a', "a", None, Ambiguity.DISPOSITION_MALFORMED),
        (b'form-data; name="a"b', "a", None, Ambiguity.DISPOSITION_MALFORMED),
        (b"form-data; name=a b", "a b", None, Ambiguity.DISPOSITION_MALFORMED),
        (b'form-data; name ="a"', "a", None, Ambiguity.DISPOSITION_MALFORMED),
        (b'form-data; name= "a"', '"a"', None, Ambiguity.DISPOSITION_MALFORMED),
        (b'form-data;\t name="a"', "a", None, Ambiguity.DISPOSITION_MALFORMED),
        (b"form-data; name=a; filename", "a", "", Ambiguity.DISPOSITION_MALFORMED),
        (b"form-data; name=a; filename*=x", "a", None, Ambiguity.DISPOSITION_MALFORMED),
        (b"form-data; name=a; filename*=''x", "a", None, Ambiguity.CHARSET_UNKNOWN),
        (b"form-data; name=a; filename*=utf-8''x", "a", "x", Ambiguity.PARAMETER_EXTENDED),
        (
            b"form-data; name=a; filename=b; filename*=utf-8''c",
            "a",
            "b",
            Ambiguity.FILENAMES_DIFFER,
        ),
        (b"form-data; name=a; filename*0=b", "a", None, Ambiguity.FILENAME_CONTINUED),
        (b"form-data; name=a; name*=utf-8''b", "a", None, Ambiguity.NAME_ENCODED),
        (b'form-data; name="\xff"', "\ufffd", None, Ambiguity.HEADER_ENCODING),
        (b"form-data; name=a; filename*=utf-8''%FF", "a", "\ufffd", Ambiguity.HEADER_ENCODING),
    ],
)
def test_what_readers_see_differently_is_read_with_its_reason(
    value: bytes, name: str | None, filename: str | None, reason: Ambiguity
) -> None:
    found = parse_disposition(value)
    assert (found.name, found.filename) == (name, filename)
    assert reason in found.ambiguities
