"""Content-Disposition on arbitrary bytes, and there and back as clients write it."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from multipart import content_disposition_quote

from gateway.multipart import Disposition, parse_disposition

names = st.text(st.characters(codec="utf-8"), max_size=30)
plain_names = names.filter(lambda name: name != "" and name == name.strip() and "?=" not in name)
pieces = st.sampled_from(
    [b"form-data", b";", b"; ", b"name", b"filename", b"*", b"*0", b"=", b'"', b"\\", b"%22", b"''",
     b"utf-8", b"\xff", b"\r\n ", b"\x00", b"a", b" "]
)  # fmt: skip
values = st.binary(max_size=60) | st.lists(pieces, max_size=20).map(b"".join)


@given(values)
def test_any_bytes_are_read_and_doubted_the_same_each_time(value: bytes) -> None:
    found = parse_disposition(value)
    assert found == parse_disposition(value)
    for text in (found.name, found.filename):
        assert text is None or text.encode().decode() == text  # no lone surrogates


@given(plain_names, names)
def test_names_encoded_by_browsers_and_curl_are_decoded(name: str, filename: str) -> None:
    # They encode a quote, a CR and an LF only, so what looks encoded or escaped cannot come back.
    if any(mark in name + filename for mark in ("%22", "%0D", "%0A", '\\"', "\\")):
        return
    value = f"form-data; name={content_disposition_quote(name)}"
    value += f"; filename={content_disposition_quote(filename)}"
    assert parse_disposition(value.encode()) == Disposition(name, filename)


@given(st.builds('x{}"{}x'.format, plain_names, names))
def test_what_older_clients_escape_comes_back(name: str) -> None:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_disposition(f'form-data; name="{escaped}"'.encode()) == Disposition(name, None)


@given(names)
def test_both_forms_of_one_filename_are_no_contradiction(filename: str) -> None:
    if "\\" in filename or "%" in filename:
        return
    plain = content_disposition_quote(filename)
    value = f"form-data; name=\"a\"; filename={plain}; filename*=UTF-8''{quote(filename, safe='')}"
    assert parse_disposition(value.encode()) == Disposition("a", filename)


@given(names, st.none() | names)
def test_the_shape_that_is_read_at_once_reads_as_the_whole_grammar_does(
    name: str, filename: str | None
) -> None:
    value = f'form-data; name="{name}"'
    if filename is not None:
        value += f'; filename="{filename}"'
    # A blank before the first semicolon changes nothing but the way that is taken.
    other = value.replace("form-data;", "form-data ;", 1)
    assert parse_disposition(value.encode()) == parse_disposition(other.encode())
