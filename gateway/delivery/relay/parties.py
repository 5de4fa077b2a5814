"""The parties of a relay, as protocols: an exchange knows nothing of their sockets."""

from dataclasses import dataclass
from typing import Protocol

import aiohttp
from aiohttp.http import RawResponseMessage

from gateway.choices import Hash
from gateway.limits.minimum_rate import Floor
from gateway.limits.watch import Watch
from gateway.records.bucket import Entry
from gateway.records.relay_batch import OnKept
from gateway.uploads.record import Upload


class Front(Protocol):
    """Speaks to the client. No method raises; one of the last two is called, once."""

    def pause(self) -> None:
        """Stop reading the body for now."""

    def resume(self) -> None:
        """Resume reading the body."""

    def answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Send the client the upstream's answer: the `held` part of its body, then the `rest`.

        If there is a rest, the front calls `Exchange.close` when it has finished reading it.
        """

    def refuse(self, error: Exception) -> None:
        """Answer the client with the error that stopped its upload."""


class Carried(Protocol):
    """The owner of the request on an upstream connection; the connection notifies it of events."""

    def upstream_answers(
        self, head: RawResponseMessage, body: bytes | aiohttp.StreamReader
    ) -> None:
        """The answer has arrived: complete if `body` is bytes, else perhaps only its head."""

    def upstream_lost(self, why: str) -> None:
        """The connection broke before the answer's head, or the head is not valid."""

    def upstream_full(self) -> None:
        """The write buffer is above its high-water mark."""

    def upstream_drained(self) -> None:
        """Most of the buffered bytes were sent."""


class Streamed(Protocol):
    """Receives the body of an answer in pieces, as they arrive."""

    def upstream_sends(self, data: bytes) -> None:
        """The next bytes of the body."""

    def upstream_ends(self) -> None:
        """The body is complete."""

    def upstream_breaks(self) -> None:
        """The rest of the body will not come, or is not valid."""


class Upstream(Protocol):
    """What a relay, or a passage, needs from its connection to the upstream."""

    @property
    def heard(self) -> bool:
        """Whether any byte has arrived since its request began."""

    def begin(self, carried: Carried, *, bodiless: bool = False) -> None:
        """Carry this request, and notify its owner of events.

        `bodiless`: its answer has no body, whatever its head says (RFC 9110 section 9.3.2).
        """

    def write(self, data: bytes) -> None:
        """Send the next bytes of the request."""

    def stream(self, to: Streamed) -> None:
        """Give the body of the answer to `to`: what has arrived now, the rest as it arrives."""

    def pause(self) -> None:
        """Stop reading the answer for now."""

    def resume(self) -> None:
        """Resume reading it."""

    def end(self, *, reusable: bool) -> None:
        """End the request; `reusable`: the next one may follow on the connection."""


class Pool(Protocol):
    """Opens connections to the upstream, or reuses idle ones."""

    host: str
    """The value of the `Host` header."""

    def take(self) -> Upstream | None:
        """An idle connection, or None if there is none."""

    async def connect(self) -> Upstream:
        """A new connection. Raises UpstreamUnavailable, UpstreamTimeout."""


class Records(Protocol):
    """Where records are kept."""

    def keep_relayed(self, upload: Upload, concurrent: int, on_kept: OnKept) -> None:
        """Keep a record, one of about `concurrent` at a time; call `on_kept` once it is durable."""

    async def complete_relayed(self, upload: Upload, entry: Entry) -> None:
        """Replace `entry` by a complete record. Raises RecordNotKept."""


class Tasks(Protocol):
    """Sends tasks to workers."""

    def send(self, name: str, upload_id: str) -> None:
        """Have the named task run for the upload."""


@dataclass(frozen=True, slots=True)
class Relays:
    """What all relays share."""

    pool: Pool
    ledger: Records
    queue: Tasks
    under_way: Watch
    """The relays in progress, which are checked from time to time."""
    hash: Hash
    body_timeout: float
    """Seconds that a client may be silent."""
    upstream_timeout: float
    """Seconds that the upstream may be silent."""
    floor: Floor
    """The slowest accepted rate of a body."""


@dataclass(frozen=True, slots=True)
class Passages:
    """What all passages share; times and rates are those of `Relays`."""

    pool: Pool
    under_way: Watch
    """The passages in progress, and their fronts while they wait for the rest of a body."""
    body_timeout: float
    upstream_timeout: float
    floor: Floor
