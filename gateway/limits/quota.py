"""What one subject may use, what it has used, and what its answers say about that. Pure.

Source of the fields: draft-ietf-httpapi-ratelimit-headers-11 (May 2026).
"""

from collections import OrderedDict
from collections.abc import Mapping
from math import ceil
from typing import Final

import msgspec

from gateway.errors import LargerThanQuota, QuotaExceeded
from gateway.limits.window import SLICES, Use, Window, slice_length

UPLOADS_WAIT: Final = 2000
"""Milliseconds after which to ask again for a place among the uploads: no end can be foreseen."""

FREE: Final = Use()


class Policy(msgspec.Struct, frozen=True):
    """What each subject may use: `uploads` at a time; `requests` and `bytes` in `window` seconds.

    0 means no limit.
    """

    uploads: int = 0
    requests: int = 0
    bytes: int = 0
    window: int = 60

    @property
    def limits_anything(self) -> bool:
        """Whether there is anything to count."""
        return bool(self.uploads or self.requests or self.bytes)


class Demand(msgspec.Struct, frozen=True):
    """What a request needs: the bytes of its body, None if unknown, 0 for none.

    `upload_id` is None for a request that is no upload.
    """

    length: int | None
    upload_id: str | None = None

    @property
    def need(self) -> int:
        """The bytes that must be left; at least one for a body of unknown length."""
        return 1 if self.length is None else self.length

    @property
    def declared(self) -> int:
        """The bytes that are counted before they arrive."""
        return self.length or 0


class Usage(msgspec.Struct, frozen=True):
    """What a subject has used, including the new request if it was admitted.

    `slice` is the slice of the window in which the request was counted.
    """

    slice: int
    requests: Use = FREE
    bytes: Use = FREE
    uploads: Use = FREE

    @property
    def admitted(self) -> bool:
        """Whether the request was admitted and counted."""
        return not (self.requests.wait or self.bytes.wait or self.uploads.wait)


def check_size(policy: Policy, demand: Demand) -> None:
    """Raises LargerThanQuota for a body that would never fit."""
    if policy.bytes and demand.need > policy.bytes:
        raise LargerThanQuota(
            f"the body exceeds your limit of {policy.bytes} bytes per {policy.window} seconds"
        )


def refusal(policy: Policy, standing: Usage) -> QuotaExceeded | None:
    """Why the request is refused, and when it would be admitted; None if it is admitted."""
    uses = {"gateway-requests": standing.requests, "gateway-bytes": standing.bytes}
    uses["gateway-uploads"] = standing.uploads
    violated = tuple(name for name, use in uses.items() if use.wait)
    if not violated:
        return None
    wait = max(uses[name].wait for name in violated)
    detail = " and ".join(_words(policy)[name] for name in violated)
    return QuotaExceeded(detail, wait / 1000, violated, fields(policy, standing))


def fields(policy: Policy, standing: Usage) -> Mapping[str, str]:
    """The `RateLimit` fields of an answer: each policy, and what is left under it."""
    policies, limits = [], []
    if policy.requests:
        policies.append(f'"gateway-requests";q={policy.requests};w={policy.window}')
        limits.append(_limit("gateway-requests", policy.requests, standing.requests, policy))
    if policy.bytes:
        policies.append(f'"gateway-bytes";q={policy.bytes};qu="content-bytes";w={policy.window}')
        limits.append(_limit("gateway-bytes", policy.bytes, standing.bytes, policy))
    if policy.uploads:
        policies.append(f'"gateway-uploads";q={policy.uploads};qu="concurrent-requests"')
        limits.append(f'"gateway-uploads";r={max(0, policy.uploads - standing.uploads.used)}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)}


def _limit(name: str, quota: int, use: Use, policy: Policy) -> str:
    """One item of `RateLimit`: until `t` seconds have passed, no more than `r` can be used."""
    seconds = ceil(use.back / 1000) if use.back else policy.window
    return f'"{name}";r={max(0, quota - use.used)};t={seconds}'


def _words(policy: Policy) -> Mapping[str, str]:
    per = f"per {policy.window} seconds"
    return {
        "gateway-requests": f"you have reached your limit of {policy.requests} requests {per}",
        "gateway-bytes": f"this upload would exceed your limit of {policy.bytes} bytes {per}",
        "gateway-uploads": f"you already have {policy.uploads} uploads in progress, your limit",
    }


class Accounts:
    """What each subject has used, as one process sees it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._accounts: OrderedDict[str, tuple[Window, Window, int]] = OrderedDict()
        """By subject, the latest one last: requests, bytes, and the time of the last request."""

    def __len__(self) -> int:
        return len(self._accounts)

    def ask(self, subject: str, demand: Demand, uploads: int, now: int) -> Usage:
        """Count the request if there is room for it; `uploads` of its subject are in progress.

        `now` is in milliseconds.
        """
        self._forget(now)
        policy = self._policy
        requests, size = self._account(subject, now)
        standing = Usage(
            slice=now // slice_length(policy.window),
            requests=requests.ask(1, policy.requests, now) if policy.requests else FREE,
            bytes=size.ask(demand.need, policy.bytes, now) if policy.bytes else FREE,
            uploads=Use(uploads, 0, wait_for_place(policy, demand, uploads)),
        )
        if standing.admitted:
            requests.add(1, now)
            size.add(demand.declared, now)
            return counted(standing, demand)
        return standing

    def correct(self, subject: str, difference: int, number: int, now: int) -> None:
        """Correct a request that was counted in slice `number`, by its length's `difference`."""
        _, size = self._account(subject, now)
        if difference > 0:
            size.add(difference, now)
        else:
            size.give_back(-difference, number)

    def _account(self, subject: str, now: int) -> tuple[Window, Window]:
        window = self._policy.window
        known = self._accounts.pop(subject, None)
        requests, size = known[:2] if known is not None else (Window(window), Window(window))
        self._accounts[subject] = requests, size, now
        return requests, size

    def _forget(self, now: int) -> None:
        """Forget subjects whose last request is older than the window."""
        gone = now - (SLICES + 1) * slice_length(self._policy.window)
        while self._accounts:
            subject, (_, _, came) = next(iter(self._accounts.items()))
            if came > gone:
                return
            del self._accounts[subject]


def wait_for_place(policy: Policy, demand: Demand, uploads: int) -> int:
    """Milliseconds until a place among the uploads is worth asking for; 0 if one is free."""
    full = demand.upload_id is not None and 0 < policy.uploads <= uploads
    return UPLOADS_WAIT if full else 0


def counted(standing: Usage, demand: Demand) -> Usage:
    """The standing including the request that it admits."""
    return Usage(
        standing.slice,
        _with(standing.requests, 1),
        _with(standing.bytes, demand.declared),
        _with(standing.uploads, 1 if demand.upload_id is not None else 0),
    )


def _with(use: Use, amount: int) -> Use:
    return Use(use.used + amount, use.back, 0)
