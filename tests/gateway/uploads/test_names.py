import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uploads.names import LONGEST, content_disposition, safe_name


@pytest.mark.parametrize(
    ("original", "safe"),
    [
        ("cat.png", "cat.png"),
        ("a b (1).png", "a b (1).png"),
        ("grüße.txt", "grüße.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\x.png", "x.png"),
        ("/", "file"),
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        (".htaccess", "htaccess"),
        ("a\x00b\r\nSet-Cookie: x", "abSet-Cookie: x"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("console.txt", "console.txt"),
        ("\udc80x.png", "x.png"),
        ("x" * 4000 + ".png", "x" * 251 + ".png"),
    ],
)
def test_a_name_is_reduced_to_a_safe_last_element(original: str, safe: str) -> None:
    assert safe_name(original) == safe


@given(st.text(max_size=600))
def test_a_safe_name_is_safe_and_stays_as_it_is(original: str) -> None:
    name = safe_name(original)
    assert name
    assert 1 <= len(name.encode()) <= LONGEST
    assert not set(name) & set("/\\\x00\r\n")
    assert name not in (".", "..")
    assert not any(unicodedata.category(char).startswith("C") for char in name)
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("cat.png", 'attachment; filename="cat.png"'),
        ('a"b.png', "attachment; filename=\"a_b.png\"; filename*=UTF-8''a%22b.png"),
        ("grüße.txt", "attachment; filename=\"gr__e.txt\"; filename*=UTF-8''gr%C3%BC%C3%9Fe.txt"),
    ],
)
def test_a_name_in_a_header_is_rfc_6266(name: str, header: str) -> None:
    assert content_disposition("attachment", name) == header


@given(st.text(max_size=100))
def test_no_name_can_break_a_header(name: str) -> None:
    header = content_disposition("inline", safe_name(name))
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
