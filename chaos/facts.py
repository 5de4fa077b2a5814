"""The facts after a run, as plain data: upstream, at the gateway, and in the bucket."""

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
    """The gateway's answer for an upload's resource."""

    status: int
    state: str | None = None
    url: str | None = None
    problem: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it cannot change any more: the upload has finished, or is unknown."""
        return self.status == 404 or (self.status == 200 and self.state in ENDS)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The ids of uploads with objects in the bucket; pending ones with a description."""

    pending: Mapping[str, str] = field(default_factory=dict)
    incoming: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()
    multiparts: tuple[str, ...] = ()
    sessions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a GET of a file's URL: the digest of its bytes, or the status."""

    sha256: str | None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts that the audit needs.

    `messages` are by the name of their file, `resources` by upload id, `fetched` by message id.
    `fetched` is None until the files are fetched, which happens last.
    """

    messages: Mapping[str, tuple[Message, ...]]
    resources: Mapping[str, Resource]
    bucket: Bucket
    redis_forgot: bool
    fetched: Mapping[int, Fetched] | None = None
