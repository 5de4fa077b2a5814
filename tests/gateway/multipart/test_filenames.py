"""Names of files there and back, as clients encode them, and what stands in for another."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.multipart.encoded_words import decode_words
from gateway.multipart.filenames import read_filename, read_plain, stands_for
from gateway.multipart.readings import readings_of_value

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)


@given(names)
def test_filename_star_says_the_name(name: str) -> None:
    extended = {"filename*": f"UTF-8''{quote(name, safe='')}"}
    assert read_filename(extended)[0].text == name
    for stand_in in ("", name, name.encode("ascii", "replace").decode()):
        found, doubts = read_filename(extended | {"filename": stand_in})
        assert (found.text, doubts) == (name, set())


@given(names)
def test_encoded_words_say_the_name(name: str) -> None:
    content = name.encode()
    words = [base64.b64encode(content[i : i + 30]).decode() for i in range(0, len(content), 30)]
    written = " ".join(f"=?utf-8?B?{word}?=" for word in words)
    assert decode_words(written) == name
    assert read_plain(written).text == name
    quoted = "".join(f"={byte:02X}" for byte in content)
    assert decode_words(f"=?UTF-8?Q?{quoted}?=") == name


@given(names, st.sampled_from(["!*'()", ""]))
def test_what_was_percent_encoded_as_a_whole_comes_back(name: str, kept: str) -> None:
    written = quote(name, safe=kept)
    # What looks like a browser's escapes alone is theirs, and says the same.
    assert read_plain(written).text == name or "%" not in written


@given(names)
def test_quoted_pairs_come_back_with_their_backslashes(name: str) -> None:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    found = read_plain(escaped)
    if "\\" in escaped:
        assert (found.text, found.escaped) == (name, "\\" in name)


@given(names)
def test_what_we_register_is_one_of_the_readings(written: str) -> None:
    assert read_plain(written).text in readings_of_value(written)


@pytest.mark.parametrize(
    ("written", "text", "escaped"),
    [
        ("a\\b.png", "a\\b.png", False),
        ("a\\\\b.png", "a\\b.png", True),
        ("C:\\x\\y.png", "C:\\x\\y.png", False),
        ("\\\\host\\share\\y.png", "\\\\host\\share\\y.png", False),
        ("my\\ cat.png", "my cat.png", False),
        ('a\\b\\"c.png', 'a\\b"c.png', False),
        ("C:\\my docs\\ cat.png", "C:\\my docs\\ cat.png", False),
        ("a%5Cb.png", "a\\b.png", True),
        ("%EC%9D%B4%EB%A6%84%20(1).heic", "이름 (1).heic", False),
        ("100%25.png", "100%.png", False),
        ("100%41.png", "100%41.png", False),
        ("%ec%9d%b4.png", "%ec%9d%b4.png", False),
        ("%FF.png", "%FF.png", False),
        ("a%20b c.png", "a%20b c.png", False),
        ("a%22b%20c.png", 'a"b c.png', False),
        ("=?x-unknown?Q?a?=", "=?x-unknown?Q?a?=", False),
        ("=?unicode_escape?Q?a?=", "=?unicode_escape?Q?a?=", False),
        ("=?gb2312?B?xOO6ww==?=.png", "你好.png", False),
    ],
)
def test_a_plain_name_is_read_by_its_escapes(written: str, text: str, escaped: bool) -> None:
    found = read_plain(written)
    assert (found.text, found.escaped) == (text, escaped)


@pytest.mark.parametrize(
    ("written", "extended", "expected"),
    [
        ("a.png", "a.png", True),
        ("", "ä.png", True),
        ("?bersicht.pdf", "Übersicht.pdf", True),
        ("_bersicht.pdf", "Übersicht.pdf", True),
        ("Uebersicht.pdf", "Übersicht.pdf", True),
        ("bersicht.pdf", "Übersicht.pdf", True),
        ("a'b.png", 'a"b.png', True),
        ("=?utf-8?B?xbzDs8WCdy5wbmc=?=", "żółw.png", True),
        ("=?utf-8?B?xbzDs8WCdy5wbmc=?=", "kot.png", False),
        ("=?x?B?xbzDs8WCdy5wbmc=?=", "żółw.png", True),
        ("%C5%BC.png", "ż.png", True),
        ("C:\\x\\a.png", "a.png", True),
        ("a.png", "b.exe", False),
        ("a.png", "ä.exe", False),
        ("invoice.exe", "ä-invoice.pdf", False),
        ("a.png", "a.png.exe", False),
        ("a??c.png", "aébéc.png", False),
        ("ä.png", "ö.png", False),
    ],
)
def test_a_plain_name_may_stand_in_for_a_fuller_one(
    written: str, extended: str, expected: bool
) -> None:
    assert stands_for(written, extended) is expected
