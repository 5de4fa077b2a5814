"""Who takes part in a relay, as an exchange knows them: by protocols, and not by their sockets."""

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
    """Who speaks to the client. None of these raises, and one of the last two is called once."""

    def pause(self) -> None:
        """Take no more of the body for now."""

    def resume(self) -> None:
        """Take more of it."""

    def answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Give the client the upstream's answer: what is `held` of its body, then the `rest`.

        Where there is a rest, `Exchange.close` is to be called when nobody reads it any longer.
        """

    def refuse(self, error: Exception) -> None:
        """Tell the client that nothing comes of its upload, and why."""


class Carried(Protocol):
    """Whose request a connection carries, and who is told what happens on it."""

    def upstream_answers(
        self, head: RawResponseMessage, body: aiohttp.StreamReader, whole: bytes | None
    ) -> None:
        """The answer has come: all of its body if that is `whole`, else perhaps only its head."""

    def upstream_lost(self, why: str) -> None:
        """The connection broke before the answer's head had come, or that makes no sense."""

    def upstream_full(self) -> None:
        """The write buffer is above its high-water mark."""

    def upstream_drained(self) -> None:
        """Most of what waited has been sent."""


class Upstream(Protocol):
    """What an exchange asks of its connection to the upstream."""

    def begin(self, carried: Carried) -> None:
        """Carry this request, and tell it what happens."""

    def write(self, data: bytes) -> None:
        """Send the next bytes of the request."""

    def end(self, *, reusable: bool) -> None:
        """The request is over; `reusable`: the next one may follow on the connection."""


class Pool(Protocol):
    """Where connections to the upstream come from."""

    host: str
    """What the `Host` header names."""

    def take(self) -> Upstream | None:
        """An idle connection, or None where there is none."""

    async def connect(self) -> Upstream:
        """A new connection. Raises UpstreamUnavailable, UpstreamTimeout."""


class Records(Protocol):
    """Where records are kept."""

    def keep_relayed(self, upload: Upload, concurrent: int, on_kept: OnKept) -> None:
        """Keep a record, one of so many that come at a time; call `on_kept` when it is durable."""

    async def complete_relayed(self, upload: Upload, entry: Entry) -> None:
        """Keep a record in the place of `entry`. Raises RecordNotKept."""


class Tasks(Protocol):
    """By what workers hear of an upload."""

    def send(self, name: str, upload_id: str) -> None:
        """Have the named task run for the upload."""


@dataclass(frozen=True, slots=True)
class Relays:
    """What all relays work with."""

    pool: Pool
    ledger: Records
    queue: Tasks
    under_way: Watch
    """Those that are looked at from time to time."""
    hash: Hash
    body_timeout: float
    """Seconds that a client may be silent."""
    upstream_timeout: float
    """Seconds that the upstream may be silent."""
    floor: Floor
    """The slowest rate of a body."""
