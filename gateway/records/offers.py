"""Offers: the record of a hosted upload in the message of its task, before the bucket has one.

A worker that takes the task at once writes the first record together with its verdict and its
claim, which saves writing and reading one. If none does, the gateway writes the record itself, and
only then is the upload accepted. Both writes are the same conditional one, so only one is first.

An offer is not evidence that the upload is still to be processed: brokers deliver messages twice.
It lapses soon, and whoever has written the first record looks for the upload's end before it acts
(`BucketRecords.save`).
"""

from collections.abc import Mapping
from typing import Final

from gateway.crypto import KeyRing
from gateway.records import sealed
from gateway.records.bucket import UNTOUCHED_FOR
from gateway.uploads.record import State, Upload

GOOD_FOR: Final = UNTOUCHED_FOR
"""Seconds, by the store's clock, from when the file was written."""

LARGEST: Final = 8_192
"""Characters: the longest sealed record that is offered. Most have a tenth of that."""

Offers = Mapping[str, str]
"""Sealed records by the ids of their uploads."""


def fits(text: str) -> bool:
    """Whether a sealed record is short enough for a message."""
    return len(text) <= LARGEST


def offered(offers: Offers, upload_id: str, ring: KeyRing) -> Upload | None:
    """The stored upload that is offered; None if there is none, or no key of the ring opens it."""
    text = offers.get(upload_id)
    upload = sealed.unseal(text, ring) if text is not None else None
    if upload is None or upload.id != upload_id or upload.state is not State.STORED:
        return None
    return upload
