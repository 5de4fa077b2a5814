"""Whether ChatKitty and the gateway saw the same relayed file. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.media_types import canonical
from gateway.multipart import may_be_named
from gateway.text import clean
from gateway.uploads.policy import Sniffed, admits


class MismatchKind(StrEnum):
    """What the upstream reports differently."""

    TYPE = "type"
    SIZE = "size"
    COUNT = "count"
    NAME = "name"
    FORM = "form"
    """The form may have another file than the one that was seen; it is unknown which was used."""
    POLICY = "policy"
    """The file is forbidden, whatever the upstream reports."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference, as a sentence."""

    kind: MismatchKind
    detail: str


@dataclass(frozen=True, slots=True)
class Reported:
    """What the upstream reports about a file that it accepted."""

    content_type: str | None
    size: int | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of the file on its way: its content's type, its size, the client's name.

    `disposition` is the header that contained the name, if it can be read in other ways.
    """

    sniffed: Sniffed
    size: int
    name: str | None
    disposition: bytes = b""


def compare(seen: Seen, reported: Reported) -> tuple[Mismatch, ...]:
    """Where the upstream's report differs; missing values are no mismatch."""
    found = []
    if reported.size is not None and reported.size != seen.size:
        found.append(
            Mismatch(
                MismatchKind.SIZE,
                f"{seen.size} bytes were relayed, but ChatKitty reports {reported.size}",
            )
        )
    if reported.content_type is not None and not admits(seen.sniffed, reported.content_type):
        found.append(
            Mismatch(
                MismatchKind.TYPE,
                f"the file is {seen.sniffed.content_type}, but ChatKitty reports"
                f" {canonical(reported.content_type)}",
            )
        )
    if not _is_named(seen, reported.name):
        found.append(Mismatch(MismatchKind.NAME, "ChatKitty gave the file another name"))
    return tuple(found)


def _is_named(seen: Seen, claimed: str | None) -> bool:
    """Whether the name is one of the readings of the name that was sent."""
    if claimed is None or seen.name is None or claimed == seen.name:
        return True
    plain = b'filename="' + clean(seen.name).encode() + b'"'
    return may_be_named(claimed, seen.disposition or plain)
