"""The filter of uploads, as the page's queries have it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from multidict import MultiMapping

from gateway.admin.bucket import DEAD, Found
from gateway.admin.search import Query
from gateway.choices import Delivery
from gateway.crypto import KeyRing
from gateway.errors import MalformedRequest
from gateway.uploads.ids import parse_id
from gateway.uploads.record import State, Upload

ALL: Final = "all"
_NAMES: Final = frozenset(
    ("state", "newer", "older", "subject", "delivery", "route", "problem", "before")
)
_OTHERS: Final = frozenset(("action", "force"))
_DELIVERIES: Final = frozenset(Delivery)
_STATES: Final = frozenset((*State, DEAD))

NameOf = Callable[[Upload], str]
"""Names an upload's subject as operators may see it, or its route."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What an operator searches for; empty texts match everything."""

    query: Query
    before: str | None
    subject: str
    delivery: str
    route: str
    problem: str

    def wants(self, found: Found, shown_subject: NameOf, route_of: NameOf) -> bool:
        """Whether an upload of the query matches; `subject` may be the digest that is shown."""
        upload = found.upload
        if upload is None:
            return not (self.subject or self.delivery or self.route or self.problem)
        problem = upload.fault.slug if upload.fault is not None else ""
        return (
            self.subject in ("", upload.subject, shown_subject(upload))
            and self.delivery in ("", upload.delivery)
            and self.problem in ("", problem)
            and (not self.route or self.route == route_of(upload))
        )


def filter_of(query: MultiMapping[str], now: float) -> Filter:
    """The filter in a query; ages are in seconds before `now`. Raises MalformedRequest."""
    if unknown := sorted(query.keys() - _NAMES - _OTHERS):
        raise MalformedRequest(f"there is no parameter {unknown[0]!r}")
    states = frozenset(query.getall("state", []))
    if strange := sorted(states - _STATES - {ALL}):
        raise MalformedRequest(f"there is no state {strange[0]!r}")
    delivery = query.get("delivery", "")
    if delivery and delivery not in _DELIVERIES:
        raise MalformedRequest(f"there is no delivery {delivery!r}")
    before = query.get("before") or None
    if before is not None and parse_id(before) is None:
        raise MalformedRequest("`before` is not the id of an upload")
    return Filter(
        query=Query(
            states=states - {ALL},
            everything=ALL in states,
            since=_ago(query, "newer", now),
            until=_ago(query, "older", now),
        ),
        before=before,
        subject=query.get("subject", ""),
        delivery=delivery,
        route=query.get("route", ""),
        problem=query.get("problem", ""),
    )


def subject_name(ring: KeyRing, *, shown: bool) -> NameOf:
    """Names subjects as they are, or by a digest that only this gateway's secret key makes."""

    def name(upload: Upload) -> str:
        if shown or not upload.subject:
            return upload.subject
        return f"#{ring.digests(upload.subject.encode('utf-8', 'surrogatepass'))[0]}"

    return name


def _ago(query: MultiMapping[str], name: str, now: float) -> float | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise MalformedRequest(f"`{name}` is not a number of seconds")
    return now - int(text)
