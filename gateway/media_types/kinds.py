"""The canonical name of a type, and the types that it is a kind of."""

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from gateway.media_types.aliases import ALIASES
from gateway.media_types.parents import PARENTS

UNKNOWN_TYPE: Final = "application/octet-stream"
"""The type that says nothing about a file."""

_KNOWN: Final = 4096
"""How many types are remembered with their results."""

_LONGEST: Final = 255
"""Characters of a media type (RFC 6838 section 4.2)."""

_PART: Final = r"[a-z0-9!#$&^_.+-]+"  # RFC 6838 section 4.2, in lower case
_TYPE: Final = re.compile(rf"{_PART}/{_PART}")
_RANGE: Final = re.compile(rf"{_PART}/\*")  # RFC 9110 section 12.5.1
_WILD: Final = re.compile(r"[*?\[]")

_CANONICAL: Final = {alias: row.name for row in ALIASES for alias in row.others.split()}


def is_pattern(name: str) -> bool:
    """Whether an operator's name of a type has wildcards."""
    return _WILD.search(name) is not None


_NAMED: Final = frozenset(row.name for row in (*ALIASES, *PARENTS)) | {
    other for row in PARENTS for other in row.others.split()
}
_ABOVE: Final = tuple((other, row.name) for row in PARENTS for other in row.others.split())
_BY_NAME: Final = {
    name: frozenset(parent for child, parent in _ABOVE if child == name) for name, _ in _ABOVE
}
_BY_PATTERN: Final = tuple((name, parent) for name, parent in _ABOVE if is_pattern(name))


def plain(content_type: str) -> str:
    """The type or pattern without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def canonical(content_type: str) -> str:
    """The media type without parameters, in lower case, by the name that the gateway registers.

    `UNKNOWN_TYPE` if it is invalid (RFC 6838 section 4.2) or says nothing. A range such as
    `image/*` stays one.
    """
    name = plain(content_type)
    if len(name) > _LONGEST or _TYPE.fullmatch(name) is None:
        return name if len(name) <= _LONGEST and _RANGE.fullmatch(name) else UNKNOWN_TYPE
    return _CANONICAL.get(name, name)


def is_a(child: str, parent: str) -> bool:
    """Whether the first type is the second one by another name, or a kind of it.

    A pattern is a kind of a type if a row says so: then all types that match it are.
    """
    name = plain(child) if is_pattern(child) else canonical(child)
    return canonical(parent) in _kinds_of(name)


@lru_cache(_KNOWN)
def _kinds_of(name: str) -> frozenset[str]:
    """The type, and all that it is a kind of, by their canonical names."""
    by_pattern = {parent for pattern, parent in _BY_PATTERN if fnmatchcase(name, pattern)}
    above = (_BY_NAME.get(name, frozenset()) | by_pattern) - {name}
    return frozenset({name}).union(*(_kinds_of(parent) for parent in above))


def is_known(name: str) -> bool:
    """Whether a table has the canonical name."""
    return name in _NAMED


def matches(content_type: str, pattern: str) -> bool:
    """Whether an operator's pattern names the type: by any of its names, or with wildcards.

    A wildcard matches a part of the name that the gateway registers. Names that say nothing match
    only themselves: `application/force-download` does not name all unknown content.
    """
    wanted, ours = plain(pattern), canonical(content_type)
    if is_pattern(wanted):
        return fnmatchcase(ours, wanted)
    theirs = canonical(wanted)
    return wanted == plain(content_type) if theirs == UNKNOWN_TYPE else ours == theirs
