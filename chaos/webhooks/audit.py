"""Judges what receivers were sent: every end arrives, under an id of its own, in an order. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from chaos.facts import ENDS
from chaos.webhooks.plan import Mood

_REGISTERED: Final = "registered"
_REPLACED: Final = frozenset({("failed", "registered"), ("rejected", "registered"),
                              ("failed", "relayed")})  # fmt: skip
"""Ends, and what may take their place: ChatKitty had the message, or its relay was not lost."""


class Flaw(StrEnum):
    """What is wrong with a message, or with an end."""

    LOST = "lost"
    """An endpoint has not accepted the message about an end."""

    DOUBLED = "doubled"
    """Two ends have the same id, or one end has two."""

    WRONG = "wrong"
    """Its signature, its content, or where it was sent to."""

    DISORDERED = "disordered"
    """A receiver that goes by the sequence would have another end than the gateway."""

    LEFTOVER = "leftover"
    """It still waits, or was given up."""


class End(NamedTuple):
    """One end of one upload; `sequence`: the length of the upload's history at that end."""

    upload_id: str
    sequence: int
    state: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was sent; `at`: when it says that the upload ended.

    `accepted`: it was answered 2xx in time. `flaw`: what is wrong with the request, if anything.
    """

    endpoint: str
    message_id: str
    upload_id: str
    sequence: int
    state: str
    at: str
    mood: Mood
    accepted: bool
    flaw: str | None = None

    @property
    def end(self) -> End:
        """What it is about."""
        return End(self.upload_id, self.sequence, self.state)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the bucket has in the end: the states of each finished upload, and messages.

    `waiting` and `dead`: names of messages that are still to be sent, or were given up.
    `acknowledged`: ids of uploads that must have ended.
    """

    histories: Mapping[str, tuple[str, ...]]
    acknowledged: Collection[str] = ()
    waiting: Collection[str] = ()
    dead: Collection[str] = ()

    @property
    def ends(self) -> Iterator[End]:
        """The last end of each upload."""
        for upload_id, history in self.histories.items():
            yield End(upload_id, len(history), history[-1])


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw, and the reason."""

    flaw: Flaw
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings, and what was seen; `unproved`: what would have to occur to prove anything."""

    findings: tuple[Finding, ...]
    unproved: tuple[str, ...] = ()
    attempts: Mapping[str, Mapping[Mood, int]] = field(default_factory=dict)
    """Attempts at each endpoint, by what it did with them."""

    accepted: Mapping[str, int] = field(default_factory=dict)
    """Messages that each endpoint has accepted."""

    repeated: Mapping[str, int] = field(default_factory=dict)
    """Messages that an endpoint has accepted more than once, which is allowed."""

    ends: Mapping[str, int] = field(default_factory=dict)
    """Ends that messages were sent about."""

    def count(self, flaw: Flaw) -> int:
        """The number of findings with the flaw."""
        return sum(finding.flaw is flaw for finding in self.findings)


def audit(deliveries: Sequence[Delivery], facts: Facts, endpoints: Sequence[str]) -> Verdict:
    """The verdict over all messages to all endpoints, each of which wants all of them."""
    findings = (
        *_of_requests(deliveries),
        *_of_ids(deliveries),
        *_of_history(deliveries, facts),
        *_of_bucket(facts),
        *(each for name in endpoints for each in _of_endpoint(name, deliveries, facts)),
    )
    return Verdict(
        findings,
        unproved=tuple(sorted(ENDS - {each.state for each in deliveries})),
        attempts={
            name: Counter(each.mood for each in deliveries if each.endpoint == name)
            for name in endpoints
        },
        accepted={name: len(_accepted(name, deliveries)) for name in endpoints},
        repeated={
            name: sum(times > 1 for times in _accepted(name, deliveries).values())
            for name in endpoints
        },
        ends=Counter(end.state for end in {each.end for each in deliveries}),
    )


def _accepted(endpoint: str, deliveries: Iterable[Delivery]) -> Counter[End]:
    return Counter(each.end for each in deliveries if each.endpoint == endpoint and each.accepted)


def _of_requests(deliveries: Iterable[Delivery]) -> Iterator[Finding]:
    for each in deliveries:
        if each.flaw is not None:
            yield Finding(Flaw.WRONG, f"{each.message_id} to {each.endpoint}: {each.flaw}")


def _of_ids(deliveries: Iterable[Delivery]) -> Iterator[Finding]:
    """An id is of one end, an end has one id, and all that is sent of it says the same time."""
    ends: dict[str, set[tuple[End, str]]] = defaultdict(set)
    ids: dict[End, set[str]] = defaultdict(set)
    for each in deliveries:
        ends[each.message_id].add((each.end, each.at))
        ids[each.end].add(each.message_id)
    for message_id, told in ends.items():
        if len(told) > 1:
            yield Finding(Flaw.DOUBLED, f"{message_id} is about several ends: {sorted(told)}")
    for end, found in ids.items():
        if len(found) > 1:
            yield Finding(Flaw.DOUBLED, f"{end} has several ids: {sorted(found)}")


def _of_history(deliveries: Iterable[Delivery], facts: Facts) -> Iterator[Finding]:
    """Each message is about an end that its upload had."""
    for end in sorted({each.end for each in deliveries}):
        history = facts.histories.get(end.upload_id, ())
        had = history[end.sequence - 1] if end.sequence <= len(history) else None
        if had != end.state and (end.state, had) not in _REPLACED:
            yield Finding(Flaw.WRONG, f"{end} was told, but the upload had {list(history)}")


def _of_bucket(facts: Facts) -> Iterator[Finding]:
    for upload_id in sorted(set(facts.acknowledged) - set(facts.histories)):
        yield Finding(Flaw.LOST, f"{upload_id} was acknowledged, but has no end")
    for name in sorted(facts.waiting):
        yield Finding(Flaw.LEFTOVER, f"{name} still waits")
    for name in sorted(facts.dead):
        yield Finding(Flaw.LEFTOVER, f"{name} was given up")


def _of_endpoint(name: str, deliveries: Sequence[Delivery], facts: Facts) -> Iterator[Finding]:
    accepted = _accepted(name, deliveries)
    seen: dict[str, End] = {}
    for each in deliveries:
        if each.endpoint == name and each.accepted:
            before = seen.get(each.upload_id)
            if before is None or _counts_more(each.end, before):
                seen[each.upload_id] = each.end
    for end in facts.ends:
        if end not in accepted:
            yield Finding(Flaw.LOST, f"{name} has not accepted {end}")
        elif seen[end.upload_id] != end:
            yield Finding(Flaw.DISORDERED, f"{name} ends with {seen[end.upload_id]}, not {end}")


def _counts_more(end: End, other: End) -> bool:
    """Whether a receiver lets this end replace the other one, as docs/webhooks.md says."""
    return end.sequence > other.sequence or (
        end.sequence == other.sequence and end.state == _REGISTERED
    )
