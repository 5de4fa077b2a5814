"""The names that servers read: each of theirs is one of ours, and no other name is."""

from contextlib import suppress
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.feeding import raw_part
from fuzz.oracles import ORACLES
from gateway.multipart import may_be_named
from gateway.multipart.readings import readings
from gateway.sandbox.dispositions import filename_of
from gateway.sandbox.failures import Failure
from tests.examples import examples
from tests.gateway.multipart.tomcat import tomcat

CAT: Final = "żółw 猫 😀.png"
ENCODED: Final = "%C5%BC%C3%B3%C5%82w%20%E7%8C%AB%20%F0%9F%98%80.png"
BASE64: Final = "=?utf-8?B?xbzDs8WCdyDnjKsg8J+YgC5wbmc=?="
QUOTED: Final = "=?UTF-8?Q?=C5=BC=C3=B3=C5=82w_=E7=8C=AB_=F0=9F=98=80.png?="

READERS: Final[dict[str, set[str]]] = {
    f'filename="{CAT}"': {CAT},
    f'filename="{ENCODED}"': {CAT, ENCODED},
    f"filename*=utf-8''{ENCODED}": {CAT},
    f"filename=\"{CAT}\"; filename*=UTF-8''{ENCODED}": {CAT},
    f"filename=\"{BASE64}\"; filename*=utf-8''{ENCODED}": {CAT, BASE64},
    f'filename="{BASE64}"': {CAT, BASE64},
    'filename="???w ? ?.png"': {"???w ? ?.png"},
    f'filename="{QUOTED}"': {CAT, QUOTED},
    'filename="żółw\\ 猫\\ 😀.png"': {CAT, " 😀.png", "żółw\\ 猫\\ 😀.png"},
    'filename="a%22b.png"': {'a"b.png', "a%22b.png"},
    'filename="a\\"b.png"': {'a"b.png', '"b.png'},
    'filename="a"b.png"': {'a"b.png', "a"},
    'filename="a\\b.png"': {"b.png", "a\\b.png", "ab.png"},
    'filename="a\\\\b.png"': {"b.png", "a\\b.png"},
    'filename="a%5Cb.png"': {"b.png", "a%5Cb.png"},
    "filename=\"a\\b.png\"; filename*=utf-8''a%5Cb.png": {"b.png", "a\\b.png", "ab.png"},
    'filename="b.png"': {"b.png"},
    'filename="100%22 %41.png"': {'100" %41.png', "100%22 %41.png", '100" A.png'},
    'filename="100%2522%20%2541.png"': {"100%2522%20%2541.png", "100%22 %41.png"},
    "filename=\"100%22 %41.png\"; filename*=utf-8''100%2522%20%2541.png": {
        '100" %41.png',
        "100%22 %41.png",
        '100" A.png',
    },
    'filename="100%22\\ %41.png"': {
        *(" %41.png", "100%22\\ %41.png", "100%22 %41.png", '100" %41.png', " A.png"),
    },
}
"""What multer, formidable, PHP, Go, Tomcat, Spring, Werkzeug and Rack were seen to make of what
real clients sent."""

pieces = st.sampled_from(
    ['"', "\\", '\\"', "\\\\", "\\ ", "%22", "%5C", "%41", "=?utf-8?Q?=C3=A4?=", "=?utf-8?B?YQ==?=",
     "=?latin1?q?=E4_x?=", "=?", "?=", " ", "/", "a", "ä", "猫", ".png", "'", "\u200f", "\u2003"]
)  # fmt: skip
written = st.lists(pieces, max_size=6).map("".join)
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
quoted_names = written.map('filename="{}"'.format) | st.builds(
    "filename=\"{}\"; filename*=utf-8''{}".format, written, names.map(quote)
)


def disposition(parameters: str) -> bytes:
    return f'form-data; name="file"; {parameters}'.encode()


@pytest.mark.parametrize("parameters", READERS)
def test_what_eight_readers_read_is_a_reading(parameters: str) -> None:
    for name in READERS[parameters]:
        assert may_be_named(name, disposition(parameters)), name


@pytest.mark.parametrize("parameters", READERS)
def test_another_name_is_none(parameters: str) -> None:
    for name in ("c.png", "a.exe", "file", "png", "a b.png", CAT[1:]):
        assert not may_be_named(name, disposition(parameters)), name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'filename="\xfcb.pdf"', "üb.pdf"),
        (b'filename="\xfcb.pdf"', "\ufffdb.pdf"),
        (b'filename="\xed\xa0\x80b.pdf"', "\ufffdb.pdf"),
        ('filename="üb.pdf"'.encode(), "Ã¼b.pdf"),
        ('filename="u\u0308b.pdf"'.encode(), "üb.pdf"),
        (b"filename*=\"UTF-8''%C3%BCb.pdf\"", "üb.pdf"),
        (b"filename*=ISO-8859-1'en'%FCb.pdf", "üb.pdf"),
        (b"filename*=x-unknown''%C3%BCb.pdf", "üb.pdf"),
        (b"filename*=UTF-8''%C3%BCb(1).pdf", "üb"),
        (b"filename*=UTF-8''%C3%BCb(1).pdf", "üb(1).pdf"),
        (b"filename= a.pdf", " a.pdf"),
        (b'filename="=?utf-8?Q?=C3=A4?==?utf-8?B?YQ==?="', "a"),
        (b"filename=a b.pdf", "a"),
        (b"filename=a b.pdf", "a b.pdf"),
        (b'filename="C:\\x\\y.pdf"', "y.pdf"),
        (b'filename="../x/y.pdf"', "y.pdf"),
        (b'filename="a', "a"),
        (b'filename="a;b"c; x=y', 'a;b"c'),
        (rb'filename="\\\"\\""', r'\""'),
        (b'filename="a"; FILENAME="b"', "b"),
    ],
)
def test_bytes_quotes_and_paths_are_read_in_each_way(raw: bytes, name: str) -> None:
    assert may_be_named(name, b'form-data; name="file"; ' + raw)


@given(written)
@examples(200)
def test_what_tomcat_reads_is_a_reading(filename: str) -> None:
    value = disposition(f'filename="{filename}"')
    for _, read, _ in (
        tomcat().read(
            raw_part(b"Content-Disposition: " + value),
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "utf-8",
        )
        or ()
    ):
        assert read is None or may_be_named(read, value), read


@given(quoted_names | st.builds("filename={}{}".format, st.sampled_from(["", " ", "\t "]), written))
def test_what_spring_reads_is_a_reading(parameters: str) -> None:
    value = disposition(parameters)
    with suppress(Failure):
        read = filename_of(value.decode())
        assert read is None or may_be_named(read, value), read


@given(quoted_names)
def test_what_other_libraries_read_is_a_reading(parameters: str) -> None:
    value = disposition(parameters)
    for library, read in ORACLES.items():
        parts = read(
            raw_part(b"Content-Disposition: " + value), b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
        )
        for _, filename, _ in parts or ():
            assert filename is None or may_be_named(filename, value), (library, filename)


@given(st.binary(max_size=60) | quoted_names.map(str.encode), names)
def test_any_bytes_have_readings_and_no_strangers(raw: bytes, name: str) -> None:
    found = readings(b"form-data; filename=" + raw)
    assert found
    assert not may_be_named(name + "\0no such name", b"form-data; filename=" + raw)


def test_a_header_full_of_escapes_has_few_readings() -> None:
    for filled in (b"%25" * 1300, b"\\" * 4000, b'"' * 4000, b"=?a?q?b?=" * 400, b"a/" * 2000):
        assert len(readings(b'form-data; filename="' + filled + b'"')) < 2000
