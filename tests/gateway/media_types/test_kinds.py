"""The tables are sound: no circles, one name for each type, and only known sources."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.media_types import UNKNOWN_TYPE, canonical, is_a, matches, may_be, may_be_called
from gateway.media_types.aliases import ALIASES
from gateway.media_types.parents import PARENTS
from gateway.media_types.row import SOURCES, Row
from gateway.media_types.words import CONTAINERS, WORDS

_ROWS: Final[tuple[Row, ...]] = (*ALIASES, *PARENTS, *CONTAINERS, *WORDS)
_NAMES: Final = sorted(
    {
        name
        for row in _ROWS
        for name in (row.name, *row.others.split())
        if "*" not in name and " " not in name and "/" in name
    }
)
NAMES: Final = st.sampled_from(_NAMES)
TYPES: Final = st.one_of(
    NAMES,
    st.sampled_from(["text/x-never", "application/never+json", "image/never+xml", "audio/a+ogg"]),
    st.from_regex(r"\A(image|audio|application|text)/[a-z0-9.+-]{1,12}\Z"),
)
TOPS: Final = {
    "image": "image/png image/jpeg image/gif image/webp image/tiff image/bmp image/jxl",
    "audio": "audio/mpeg audio/flac audio/wav audio/aac audio/amr audio/midi audio/x-caf",
    "video": "video/mp4 video/webm video/x-msvideo video/x-flv video/quicktime",
    "application": "application/pdf application/zip application/x-7z-compressed"
    " application/x-rar application/msword application/vnd.sqlite3 application/x-dosexec",
    "text": "text/html text/vcard text/calendar",
    "font": "font/ttf font/woff font/woff2",
}


def test_every_row_names_its_sources() -> None:
    assert {source for row in _ROWS for source in row.sources.split()} <= set(SOURCES)
    assert all(row.sources for row in _ROWS)


def test_a_name_is_a_name_of_one_type() -> None:
    others = [other for row in ALIASES for other in row.others.split()]
    names = [row.name for row in ALIASES]
    assert len(others) == len(set(others))
    assert len(names) == len(set(names))
    assert not set(others) & set(names)


def test_only_aliases_have_names_that_are_not_registered() -> None:
    for row in (*PARENTS, *CONTAINERS, *WORDS):
        for name in row.others.split():
            assert "*" in name or canonical(name) == name, row
        assert " " in row.name or canonical(row.name) in {row.name, UNKNOWN_TYPE}, row


@given(st.text() | TYPES)
def test_a_canonical_name_is_its_own(content_type: str) -> None:
    assert canonical(canonical(content_type)) == canonical(content_type)


@given(TYPES)
def test_case_blanks_and_parameters_say_nothing(content_type: str) -> None:
    assert canonical(f" {content_type.upper()} ; a=b") == canonical(content_type)


@given(TYPES)
def test_a_type_is_a_kind_of_itself(content_type: str) -> None:
    assert is_a(content_type, content_type)
    assert matches(content_type, content_type)


@given(TYPES, TYPES, TYPES)
def test_kinds_of_kinds_are_kinds(first: str, second: str, third: str) -> None:
    if is_a(first, second) and is_a(second, third):
        assert is_a(first, third)


def test_there_are_no_circles() -> None:
    for first in _NAMES:
        for row in PARENTS:
            if is_a(first, row.name) and is_a(row.name, first):
                assert canonical(first) == canonical(row.name)


@given(TYPES, TYPES)
def test_other_names_change_no_answer(found: str, claimed: str) -> None:
    answer = may_be_called(found, claimed)
    assert may_be_called(canonical(found), claimed) == answer
    assert may_be_called(found, canonical(claimed)) == answer


@given(TYPES, st.sampled_from(sorted(_NAMES)))
def test_a_file_that_was_seen_in_part_is_accused_of_less(found: str, claimed: str) -> None:
    if may_be_called(found, claimed):
        assert may_be_called(found, claimed, certain=False)
    if may_be(found, claimed):
        assert may_be(found, claimed, certain=False)
        assert may_be_called(found, claimed)


def test_types_of_one_container_may_each_be_called_the_other() -> None:
    for row in CONTAINERS:
        names = [name for name in row.others.split() if "*" not in name]
        assert all(may_be_called(one, other) for one in names for other in names)


def test_a_parent_admits_its_kinds_and_a_kind_its_parents() -> None:
    """But for what a browser runs, and for archives that say what they are."""
    for row in PARENTS:
        for child in row.others.split():
            if "*" not in child:
                assert may_be_called(child, row.name) or child == "text/html"
                assert may_be_called(row.name, child, certain=False)


def test_every_pair_of_different_beginnings_is_told_apart() -> None:
    for top, names in TOPS.items():
        for found in names.split():
            wrong = [
                claimed
                for other, claims in TOPS.items()
                if other != top
                for claimed in claims.split()
                if may_be_called(found, claimed)
            ]
            assert wrong == [], found


def test_of_a_file_seen_in_part_only_the_container_counts() -> None:
    document, program = (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/java-archive",
    )
    assert may_be(document, program, certain=False)
    assert not may_be(document, program)
    assert not may_be(document, "application/pdf", certain=False)
