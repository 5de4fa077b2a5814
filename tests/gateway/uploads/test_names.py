import re
import unicodedata
from pathlib import PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.uploads.names import LONGEST, content_disposition, safe_name

TAGS = "".join(map(chr, range(0xE0020, 0xE0080)))
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


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
        ("\uffff\ufdd0x\U000e0041.png", "x.png"),
        (f"{ENGLAND[:-1]}.png", "🏴.png"),
        (f"{'x' * 232}{ENGLAND}.png", f"{'x' * 232}🏴.png"),
        ("x" * 4000 + ".png", "x" * 251 + ".png"),
    ],
)
def test_a_name_is_reduced_to_a_safe_last_element(original: str, safe: str) -> None:
    assert safe_name(original) == safe


flags = st.lists(st.sampled_from([ENGLAND, ENGLAND[:-1], *ENGLAND, "x" * 40, "."])).map("".join)
pathlike = st.lists(st.sampled_from([*"\\/. :aC\u202e\u200fä", ".."]), max_size=12).map("".join)


@example("::\\:")
@given(pathlike | st.text(max_size=400))
def test_a_name_with_backslashes_of_its_own_is_no_path_of_windows(original: str) -> None:
    name = safe_name(original, path=False)
    assert not {".", ".."} & {element.strip() for element in name.split("\\")[:-1]}
    # From Python 3.13 on, any character is a drive to it; to Windows, a letter from A to Z is.
    drive = PureWindowsPath(name).drive
    assert "\\" not in name or not re.match(r"[A-Za-z]:|\\", drive)
    assert "/" not in name
    assert safe_name(name, path=False) == name


@given(pathlike | flags | st.text(max_size=600))
def test_a_safe_name_is_safe_and_stays_as_it_is(original: str) -> None:
    name = safe_name(original)
    assert name
    assert 1 <= len(name.encode()) <= LONGEST
    assert not set(name) & set("/\\\x00\r\n")
    assert name not in (".", "..")
    kept = "\u061c\u200c\u200d\u200e\u200f" + TAGS
    dropped = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not any(unicodedata.category(char) in dropped for char in name if char not in kept)
    assert not set(name) & {"\ufdd0", "\uffff", "\U0010fffe"}
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


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("a\\b.png", "a\\b.png"),
        ("C:\\x\\y.png", "y.png"),
        ("\\\\host\\share\\y.png", "y.png"),
        ("..\\..\\y.png", "y.png"),
        ("a\\..\\y.png", "y.png"),
        ("x/a\\b.png", "a\\b.png"),
        ("a\\b\\", "a\\b"),
    ],
)
def test_an_escaped_backslash_belongs_to_the_name_unless_it_is_a_windows_path(
    original: str, name: str
) -> None:
    assert safe_name(original, path=False) == name
    assert safe_name(original) == name.rpartition("\\")[2]


@pytest.mark.parametrize(
    "name",
    [
        "\u200f\u05e9.png",
        "👨\u200d👩.png",
        "\u06cc\u200c\u062e.png",
        f"{ENGLAND}.png",
        "葛\U000e0100.png",  # a variant of it in Japanese names
        "\U0001fae9.png",  # a face of Unicode 16, which Python has from 3.14 on
    ],
)
def test_marks_that_scripts_and_emoji_need_stay(name: str) -> None:
    assert safe_name(name) == name
