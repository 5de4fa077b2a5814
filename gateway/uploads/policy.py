"""Which content is allowed under which terms. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from gateway.media_types import active, canonical, is_a, matches, may_be, may_be_called
from gateway.uploads.record import Terms

EXECUTABLES: Final = (
    "application/x-dosexec",
    "application/vnd.microsoft.portable-executable",
    "application/x-msdownload",
    "application/x-msi",
    "application/x-ms-shortcut",
    "application/x-executable",
    "application/x-pie-executable",
    "application/x-sharedlib",
    "application/x-object",
    "application/x-elf",
    "application/x-mach-binary",
    "application/x-java-applet",
    "application/java-archive",
    "application/vnd.android.package-archive",
    "application/x-dex",
    "application/wasm",
    "application/x-ios-app",
    "application/vnd.ms-appx",
    "application/vsix",
    "application/x-xpinstall",
    "application/x-chrome-extension",
    "application/x-apple-diskimage",
    "application/x-xar",
    "application/x-rpm",
    "application/vnd.debian.binary-package",
    "application/x-phar",
    "application/x-sh",
    "text/x-shellscript",
    "text/x-msdos-batch",
    "text/x-python",
    "text/x-script.python",
    "text/x-perl",
    "text/x-ruby",
    "text/x-php",
    "text/x-lua",
    "text/x-tcl",
    "text/x-awk",
    "text/x-powershell",
    "text/vbscript",
)
"""Types that a device runs or installs when its owner opens the file."""

UNSNIFFED: Final = "application/x-unsniffed"
"""The type of a file that crashes libmagic; a route may allow it."""

DENIED: Final = (*EXECUTABLES, UNSNIFFED)
"""Denied unless a route says otherwise."""

_SCRIPT: Final = "application/javascript"
_ANY_SCRIPT: Final = "text/x-shellscript"
_MACROS: Final = "application/*.macroenabled.12"

_KNOWN: Final = 4096
"""How many pairs of a denied pattern and a type are remembered with their result."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The type of a file by its content.

    `alternatives` are further types that its head or tail allows (a GIF that is also a ZIP), and
    the types of its parts (macros, a table in a letter). The latter are in `within` as well: they
    do not make it another file. `certain` is False if only a part of the container was seen.
    `ambiguous`: its readers could disagree on its content. `bomb`: it declares more content than is
    accepted.
    """

    content_type: str
    alternatives: frozenset[str] = frozenset()
    certain: bool = True
    ambiguous: bool = False
    bomb: bool = False
    within: frozenset[str] = frozenset()

    def also(self, others: Iterable[str], *, bomb: bool = False) -> "Sniffed":
        """The same file, which may also be of these types."""
        found = (self.alternatives | frozenset(others)) - {self.content_type}
        if found == self.alternatives and not bomb:
            return self
        return replace(self, alternatives=found, bomb=self.bomb or bomb)

    def holding(self, inner: Iterable[str], *, bomb: bool = False) -> "Sniffed":
        """The same file, which contains parts of these types."""
        found = frozenset(inner)
        return replace(self.also(found, bomb=bomb), within=self.within | found)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The file is allowed."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The file is forbidden: a problem's slug, and the reason for the client."""

    slug: str
    detail: str


def judge(terms: Terms, sniffed: Sniffed, declared: str | None) -> Accepted | Rejected:
    """Whether the terms of the upload allow a file of that content.

    Every type that the content may have is tested. The file is forbidden if one of them is denied,
    or not allowed; but a part's type, and a less specific one, need not be allowed.
    """
    denied = DENIED if terms.denied_types is None else terms.denied_types
    for content_type in (sniffed.content_type, *sorted(sniffed.alternatives)):
        if any(_denies(pattern, content_type) for pattern in denied):
            return Rejected("denied-type", f"files of type {content_type} are not accepted here")
    if sniffed.ambiguous:
        return Rejected("ambiguous-archive", "the archive can be read in more than one way")
    if sniffed.bomb:
        return Rejected("archive-bomb", "the archive declares more content than is accepted here")
    for content_type in _readings(sniffed) if terms.allowed_types else ():
        if not any(_allows(pattern, content_type, sniffed) for pattern in terms.allowed_types):
            return Rejected(
                "type-not-allowed", f"files of type {content_type} are not accepted here"
            )
    if terms.require_match and declared is not None and not admits(sniffed, declared):
        return Rejected(
            "type-mismatch", f"the file is {sniffed.content_type}, not {canonical(declared)}"
        )
    return Accepted()


@lru_cache(_KNOWN)
def _denies(pattern: str, content_type: str) -> bool:
    """Whether a pattern names the type, or a kind of program that the type belongs to.

    Kinds that are no programs are denied only by their own names: a rule for `application/zip`
    does not mean the archive that a DOCX is.
    """
    return matches(content_type, pattern) or (_is_program(pattern) and is_a(content_type, pattern))


def _allows(pattern: str, content_type: str, sniffed: Sniffed) -> bool:
    """Whether a pattern names the type, or a kind that it belongs to, or a type that it may be.

    What runs, in a browser or elsewhere, is allowed only by its own names.
    """
    if matches(content_type, pattern):
        return True
    if _runs(content_type):
        return False
    if is_a(content_type, pattern):
        return True
    # If the content shows less than the pattern asks for, nothing contradicts it.
    main = content_type == canonical(sniffed.content_type)
    return main and may_be(content_type, pattern, certain=sniffed.certain)


def _is_program(content_type: str) -> bool:
    return any(matches(content_type, program) for program in EXECUTABLES)


def _runs(content_type: str) -> bool:
    script = active(content_type) or matches(content_type, _SCRIPT)
    return script or matches(content_type, _MACROS) or _is_program(content_type)


def _readings(sniffed: Sniffed) -> list[str]:
    """The types as which the whole file can be read, the most certain first."""
    main = canonical(sniffed.content_type)
    others = sniffed.alternatives - sniffed.within - {UNSNIFFED}
    return [main, *sorted(other for other in others if not _says_less(other, main))]


def _says_less(other: str, main: str) -> bool:
    """Whether the pattern is another name of the type, or of a kind that it belongs to."""
    return is_a(main, other) or (other == _ANY_SCRIPT and fnmatchcase(main, "text/x-*"))


def admits(sniffed: Sniffed, claimed: str) -> bool:
    """Whether content of the sniffed type can be of the claimed type."""
    return may_be_called(sniffed.content_type, claimed, certain=sniffed.certain)
