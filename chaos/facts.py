"""What is found after a run, as plain data: upstream, at the gateway, and in the bucket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ENDS: Final = frozenset({"registered", "audited", "flagged", "rejected", "failed", "aborted"})


@dataclass(frozen=True, slots=True)
class Message:
    """A message upstream that has a file; `hosting` is `HOSTED` or `EXTERNAL`."""

    id: int
    hosting: str
    name: str
    url: str
    size: int
    content_type: str
    created: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """What the gateway answers for an upload's resource."""

    status: int
    state: str | None = None
    url: str | None = None
    problem: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it will change any more: it is at an end, or not known at all."""
        return self.status == 404 or (self.status == 200 and self.state in ENDS)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The ids of the uploads of which the bucket holds something; a pending one is described."""

    pending: Mapping[str, str] = field(default_factory=dict)
    incoming: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()
    multiparts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a GET of a file's URL gave: the digest of its bytes, or else the status."""

    sha256: str | None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the audit is about.

    `messages` by the name of their file, `resources` by upload id, `fetched` by message id; that
    is None before the files are fetched, which is done last.
    """

    messages: Mapping[str, tuple[Message, ...]]
    resources: Mapping[str, Resource]
    bucket: Bucket
    redis_forgot: bool
    fetched: Mapping[int, Fetched] | None = None
