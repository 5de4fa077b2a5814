"""Judges the facts about each upload: nothing may be lost, doubled or wrong. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chaos.answers import Ending, Outcome
from chaos.facts import ENDS, Bucket, Facts, Message, Resource
from chaos.uploads import Mode


class Flaw(StrEnum):
    """What is wrong with an upload, or with an object in the bucket."""

    LOST = "lost"
    DOUBLED = "doubled"
    WRONG = "wrong"
    UNANSWERED = "unanswered"
    UNSETTLED = "unsettled"
    LEFTOVER = "leftover"


PASSING: Final = frozenset({Flaw.UNSETTLED, Flaw.LEFTOVER})
"""Flaws that may disappear with time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw, and the reason. `mode` and `name` are None if no client knows of the upload."""

    flaw: Flaw
    why: str
    upload_id: str | None = None
    name: str | None = None
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings. `audits_lost` counts relayed uploads whose record was lost with Redis."""

    findings: tuple[Finding, ...]
    audits_lost: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether waiting cannot improve the result."""
        return not any(finding.flaw in PASSING for finding in self.findings)

    def count(self, flaw: Flaw, mode: Mode | None = None) -> int:
        """The number of findings with the flaw, of one mode or of all."""
        return sum(
            finding.flaw is flaw and mode in (None, finding.mode) for finding in self.findings
        )


_INTERNAL = 500

Flawed = Iterator[tuple[Flaw, str]]


def audit(outcomes: Sequence[Outcome], facts: Facts) -> Verdict:
    """The verdict over all uploads and the bucket."""
    findings = [
        Finding(flaw, why, outcome.upload_id, outcome.upload.name, outcome.upload.mode)
        for outcome in outcomes
        for flaw, why in _of_upload(outcome, facts)
    ]
    names = {outcome.upload_id: outcome.upload.name for outcome in outcomes}
    findings += [
        Finding(Flaw.LEFTOVER, why, upload_id, names.get(upload_id))
        for upload_id, why in _of_bucket(facts.bucket)
    ]
    return Verdict(tuple(findings), sum(_audit_was_lost(each, facts) for each in outcomes))


def _of_upload(outcome: Outcome, facts: Facts) -> Flawed:
    messages = facts.messages.get(outcome.upload.name, ())
    yield from _of_count(messages)
    yield from _of_ending(outcome)
    for message in messages:
        yield from _of_file(outcome, message, facts)
    if outcome.ending is Ending.ACKNOWLEDGED:
        yield from _of_acknowledged(outcome, messages, facts)
    elif outcome.ending is Ending.UNKNOWN:
        yield from _of_unknown(outcome, facts)


def _of_count(messages: Sequence[Message]) -> Flawed:
    if len(messages) > 1:
        shown = ", ".join(f"{message.id} ({message.created})" for message in messages)
        yield Flaw.DOUBLED, f"{len(messages)} messages bear its name: {shown}"


def _of_ending(outcome: Outcome) -> Flawed:
    """A valid file is accepted, and a client that repeats its request gets an answer in the end."""
    status = outcome.answer.status if outcome.answer else None
    if outcome.ending is Ending.REFUSED:
        yield Flaw.WRONG, f"a valid upload was refused with {status}"
    if outcome.ending is Ending.UNANSWERED:
        told = f"the last answer was {status}" if status else "never an answer"
        yield (
            Flaw.UNANSWERED,
            f"no final answer in {outcome.seconds:.0f} s, {len(outcome.statuses)} tries: {told}",
        )
    if _INTERNAL in outcome.statuses:
        yield Flaw.WRONG, "it was answered 500, which no fault from outside explains"


def _of_file(outcome: Outcome, message: Message, facts: Facts) -> Flawed:
    """Whatever its client knows: an existing message shows the file that was sent."""
    upload = outcome.upload
    hosting = "EXTERNAL" if upload.mode.is_external else "HOSTED"
    for what, found, right in (
        ("file.type", message.hosting, hosting),
        ("file.size", message.size, upload.size),
        ("file.contentType", message.content_type, upload.content_type),
    ):
        if found != right:
            yield Flaw.WRONG, f"{what} of message {message.id} is {found}, not {right}"
    if facts.fetched is None:
        return
    fetched = facts.fetched.get(message.id)
    if fetched is None:
        yield Flaw.WRONG, f"message {message.id} came after all was settled"
    elif fetched.sha256 is None:
        yield Flaw.WRONG, f"its file at {message.url} answers {fetched.status}"
    elif fetched.sha256 != outcome.sha256:
        yield Flaw.WRONG, f"its file at {message.url} has other bytes"


def _of_acknowledged(outcome: Outcome, messages: Sequence[Message], facts: Facts) -> Flawed:
    if outcome.upload_id is None:
        yield Flaw.WRONG, "the answer bears no Upload-Id"
        return
    resource = facts.resources.get(outcome.upload_id)
    if resource is None or resource.status not in (200, 404):
        yield Flaw.UNSETTLED, f"its resource answers {resource.status if resource else 'nothing'}"
    elif outcome.upload.mode.is_external:
        yield from _of_hosted(resource, messages)
    else:
        yield from _of_relayed(resource, messages, redis_forgot=facts.redis_forgot)
    yield from _of_told_message(outcome, messages)


def _of_hosted(resource: Resource, messages: Sequence[Message]) -> Flawed:
    if resource.status == 404:
        yield Flaw.LOST, "its resource is not known"
    elif resource.state not in ENDS:
        yield Flaw.UNSETTLED, f"its resource is {resource.state}"
    elif resource.state != "registered":
        yield Flaw.LOST, f"it ended {resource.state}: {resource.problem}"
    elif not messages:
        yield Flaw.LOST, "it is registered, but no message bears its name"
    for message in messages:
        if resource.status == 200 and message.url != resource.url:
            yield Flaw.WRONG, f"message {message.id} has another URL than its resource"


def _of_relayed(resource: Resource, messages: Sequence[Message], *, redis_forgot: bool) -> Flawed:
    if not messages:
        yield Flaw.LOST, "no message bears its name"
    if resource.status == 404:
        if not redis_forgot:
            yield Flaw.LOST, "its resource is not known"
    elif resource.state not in ENDS:
        yield Flaw.UNSETTLED, f"its resource is {resource.state}"
    elif resource.state != "audited":
        yield Flaw.WRONG, f"it ended {resource.state}: {resource.problem}"


def _of_told_message(outcome: Outcome, messages: Sequence[Message]) -> Flawed:
    """The message in the client's answer is the one that exists."""
    told = outcome.answer.message_id if outcome.answer else None
    if told is not None and messages and told not in {message.id for message in messages}:
        yield Flaw.WRONG, f"its client was told of message {told}, which is not there"


def _of_unknown(outcome: Outcome, facts: Facts) -> Flawed:
    if outcome.answer is None or not outcome.answer.location:
        yield Flaw.WRONG, "a 409 names no resource"
        return
    resource = facts.resources.get(outcome.upload_id or "")
    if resource is None or resource.status not in (200, 404):
        yield Flaw.UNSETTLED, f"its resource answers {resource.status if resource else 'nothing'}"
    elif resource.status == 404:
        yield Flaw.WRONG, "the resource that a 409 named is not known"
    elif resource.state not in ENDS:
        yield Flaw.UNSETTLED, f"its outcome is unknown, and its resource {resource.state}"


def _audit_was_lost(outcome: Outcome, facts: Facts) -> bool:
    if outcome.ending is not Ending.ACKNOWLEDGED or outcome.upload.mode.is_external:
        return False
    resource = facts.resources.get(outcome.upload_id or "")
    return facts.redis_forgot and resource is not None and resource.status == 404


def _of_bucket(bucket: Bucket) -> Iterator[tuple[str, str]]:
    for upload_id, shown in sorted(bucket.pending.items()):
        yield upload_id, f"its record is still pending: {shown}"
    for upload_id in sorted(bucket.incoming - bucket.records - set(bucket.pending)):
        yield upload_id, "its bytes are in the bucket, but no record is"
    for upload_id in sorted(bucket.sessions):
        yield upload_id, "its session is still open"
    for upload_id, count in sorted(Counter(bucket.multiparts).items()):
        yield upload_id, f"{count} multipart upload(s) of it are open"
