"""Which uploads may be resumed, and which may be cancelled."""

import re
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from gateway.admin.commands import why_not_cancel, why_not_retry
from gateway.choices import Delivery
from gateway.records.bucket import Entry
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import begin
from gateway.uploads.record import (
    CANCELLED,
    Attempt,
    Fault,
    State,
    Target,
    Terms,
    Upload,
    abandoned,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
UPLOAD = Upload(
    id="0",
    subject="alice",
    request_id="r",
    delivery=Delivery.EXTERNAL,
    target=Target("POST", "/v1/channels/1/messages"),
    history=begin(NOW, State.STORED, NOW),
    files=(),
    terms=Terms(),
)
RELAY = replace(UPLOAD, delivery=Delivery.RELAY, history=begin(NOW, State.RELAYED, NOW))


def attempted(*, unknown: bool, lease: float = 0.0) -> Upload:
    attempt = Attempt(count=1, first_at=NOW, unknown=unknown, lease=lease)
    return replace(UPLOAD, attempt=attempt)


@pytest.mark.parametrize(
    "upload",
    [UPLOAD, attempted(unknown=False), replace(UPLOAD, fault=CANCELLED)],
    ids=["stored", "refused once", "half cancelled"],
)
def test_idle_pending_upload_can_be_cancelled(upload: Upload) -> None:
    assert why_not_cancel(Entry(upload, "v"), force=False) is None


@pytest.mark.parametrize(
    ("upload", "reason"),
    [
        (RELAY, "a relayed upload cannot be cancelled"),
        (attempted(unknown=True, lease=80), "being registered right now: .* in 76 seconds"),
        (replace(UPLOAD, fault=Fault("executable", "")), "about to end by itself: executable"),
        (abandoned(new_id(), NOW), "it is aborted"),
    ],
)
def test_some_cannot_be_cancelled_by_any_force(upload: Upload, reason: str) -> None:
    assert re.search(reason, why_not_cancel(Entry(upload, "v", 5), force=True) or "")


def test_cancelling_a_possibly_registered_upload_requires_force() -> None:
    entry = Entry(attempted(unknown=True, lease=80), "v", 81)
    assert "may have reached ChatKitty" in (why_not_cancel(entry, force=False) or "")
    assert why_not_cancel(entry, force=True) is None


def test_nothing_is_resumed_that_could_not_be_registered() -> None:
    assert why_not_retry(UPLOAD, has_credentials=True) is None
    assert "caller's token" in (why_not_retry(UPLOAD, has_credentials=False) or "")
    assert "a relay" in (why_not_retry(RELAY, has_credentials=True) or "")
