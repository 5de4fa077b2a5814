"""Whether a file with content of one type may be called by another type."""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from gateway.media_types.kinds import UNKNOWN_TYPE, canonical, is_a, is_known, is_pattern
from gateway.media_types.words import CONTAINERS, WORDS

_KNOWN: Final = 4096
"""How many pairs of a type and a claim are remembered with their result."""

_TEXT: Final = "text/plain"
_XML: Final = "application/xml"
_ZIP: Final = "application/zip"
_COMPOUND: Final = "application/x-ole-storage"
_TAGGED: Final = "audio/mpeg"
_EMPTY: Final = "application/x-empty"

_HTML: Final = "text/html"
_ACTIVE: Final = frozenset({_HTML, "application/xhtml+xml", "image/svg+xml"})

# Recognised by a signature, or by a document's own list: plain text, or a plain archive, is none of
# these. Other kinds of text have no signature, and libmagic only guesses.
_SIGNED_TEXT: Final = (
    *_ACTIVE,
    _XML,
    "application/json",
    "application/postscript",
    "text/rtf",
    "text/vcard",
    "text/calendar",
)
_SIGNED_ZIP: Final = (
    "application/vnd.openxmlformats-officedocument.*",
    "application/vnd.oasis.opendocument.*",
    "application/vnd.ms-*.macroenabled.12",
    "application/epub+zip",
    "application/java-archive",
    "application/vnd.android.package-archive",
    "application/x-ios-app",
    "application/vnd.ms-appx",
    "application/vsix",
)

# Formats in which many applications keep their files: the content shows no more.
_GENERAL: Final = (
    _ZIP,
    _COMPOUND,
    _XML,
    "application/json",
    "application/gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/zstd",
    "application/x-tar",
    "application/vnd.sqlite3",
    "application/x-hdf5",
)
_TOLD_TOPS: Final = ("image/", "audio/", "video/", "font/", "text/", "message/", "multipart/")

_CONTAINERS: Final = tuple(tuple(row.others.split()) for row in CONTAINERS)
_WORDS: Final = {
    name: tuple(word for row in WORDS if row.name == name for word in row.others.split())
    for name in {row.name for row in WORDS}
}


def active(content_type: str) -> bool:
    """Whether browsers run scripts in a document of that type."""
    return canonical(content_type) in _ACTIVE


def may_be_called(ours: str, theirs: str, *, certain: bool = True) -> bool:
    """Whether a file whose content is of the first type may honestly be called the second.

    It may if either says nothing, if one is the other or a kind of it, if both are types of one
    container, and if some system derives that name from a file's extension. But what a browser runs
    is no plain text. `certain` is False if only a part of the file was seen.
    """
    return _may_be_called(canonical(ours), canonical(theirs), certain=certain)


@lru_cache(_KNOWN)
def _may_be_called(found: str, claimed: str, *, certain: bool) -> bool:
    if UNKNOWN_TYPE in (found, claimed) or found == _EMPTY:
        return True
    if claimed.endswith("/*"):
        return fnmatchcase(found, claimed) or _shares_container(found, claimed)
    if is_a(found, claimed):
        return not (claimed == _TEXT and active(found))
    return (
        _may_be_text(found, claimed)
        or may_be(found, claimed, certain=certain)
        or _shares_container(found, claimed)
        or _is_word_for(found, claimed)
        or _is_unheard_of(found, claimed)
    )


def may_be(ours: str, theirs: str, *, certain: bool = True) -> bool:
    """Whether content that was only found to be of the first type may be of the second, too.

    It may if the second, a type or pattern, is a kind of the first that the content would not show;
    if only a part was seen, also if both are types of one container.
    """
    found = canonical(ours)
    claimed = theirs if is_pattern(theirs) else canonical(theirs)
    general = _TEXT if _is_unsigned_text(found) else found
    if is_a(claimed, general) and not (certain and _is_signed(claimed, general)):
        return True
    if certain:
        return False
    if any(is_a(found, kind) and is_a(claimed, kind) for kind in (_ZIP, _COMPOUND)):
        return True
    # After a tag that is longer than the part that was seen, there may be any sound.
    tagged = found == _TAGGED and claimed.startswith("audio/")
    return tagged or _shares_container(found, claimed)


def _may_be_text(found: str, claimed: str) -> bool:
    """Whether text may be that other text; only what browsers run is known by its beginning."""
    if active(found) or not (is_a(found, _TEXT) and is_a(claimed, _TEXT)):
        return False
    return not active(claimed) or is_a(claimed, found) or _is_unsigned_text(found)


def _is_unsigned_text(found: str) -> bool:
    """Whether it is a kind of text that has no signature."""
    return is_a(found, _TEXT) and not any(is_a(found, signed) for signed in _SIGNED_TEXT)


def _is_signed(claimed: str, general: str) -> bool:
    """Whether the content would show that it is that kind of the more general type."""
    if general == _ZIP:
        return _is_any(claimed, _SIGNED_ZIP)
    return any(is_a(claimed, signed) and not is_a(general, signed) for signed in _SIGNED_TEXT)


def _shares_container(found: str, claimed: str) -> bool:
    """Whether the types, or a type and one that a pattern matches, have the same container."""
    return any(
        _is_any(found, names)
        and (_is_any(claimed, names) or any(fnmatchcase(name, claimed) for name in names))
        for names in _CONTAINERS
    )


def _is_word_for(found: str, claimed: str) -> bool:
    textual = _is_unsigned_text(found) or (is_a(found, _XML) and not active(found))
    general = _WORDS[_TEXT] if textual else ()
    return _is_any(claimed, (*_WORDS.get(found, ()), *general))


def _is_unheard_of(found: str, claimed: str) -> bool:
    """Whether it may be an application's format that no table knows, by its container."""
    if is_known(claimed) or claimed.startswith(_TOLD_TOPS):
        return False
    return found in (*_GENERAL, _HTML) or _is_unsigned_text(found)


def _is_any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
