"""Offers: a hosted upload's record travels in its task's message, before the bucket has one.

A worker that starts at once writes the first record together with its verdict and its claim, which
saves one write and one read. If no worker does, the gateway writes the record itself. Either write
accepts the upload. Both are the same conditional write, so only one of them is first.

An offer does not prove that the upload still needs work: brokers may deliver a message twice. It
expires soon, and the process that writes the first record looks for the upload's end before it acts
(`BucketRecords.save`).
"""

from collections.abc import Mapping
from typing import Final

from gateway.crypto import KeyRing
from gateway.records import sealed
from gateway.records.bucket import UNTOUCHED_FOR
from gateway.uploads.record import State, Upload

GOOD_FOR: Final = UNTOUCHED_FOR
"""Seconds, by the store's clock, since the file was written."""

LARGEST: Final = 8_192
"""In characters: the longest sealed record that is offered. Most are a tenth of that."""

Offers = Mapping[str, str]
"""Sealed records by the ids of their uploads."""


def fits(text: str) -> bool:
    """Whether a sealed record is short enough for a message."""
    return len(text) <= LARGEST


def offered(offers: Offers, upload_id: str, ring: KeyRing) -> Upload | None:
    """The stored upload that is offered; None without an offer, or if no key opens it."""
    text = offers.get(upload_id)
    upload = sealed.unseal(text, ring) if text is not None else None
    if upload is None or upload.id != upload_id or upload.state is not State.STORED:
        return None
    return upload
