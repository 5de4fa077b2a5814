"""While versions run side by side, each reads what the other one has written.

`earlier.json` has what an earlier version wrote, with every member set. Add to it; change nothing.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.agreement import Announcement
from gateway.queue import QUEUES
from gateway.records.backlog_snapshot import BacklogSnapshot
from gateway.records.claims import Claim
from gateway.records.removals import Order
from gateway.resumable.session import Session
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Upload, from_json, pack, unpack
from gateway.webhooks.progress import Progress
from workers.sweep.lease import Memory

EARLIER: dict[str, Any] = json.loads((Path(__file__).parent / "earlier.json").read_text())
KINDS: dict[str, type[msgspec.Struct]] = {
    "announcement": Announcement,
    "claim": Claim,
    "memory": Memory,
    "order": Order,
    "progress": Progress,
    "session": Session,
    "snapshot": BacklogSnapshot,
    "upload": Upload,
}


def lost(earlier: object, now: object) -> bool:
    """Whether anything that the earlier version would look for is gone or has changed."""
    if isinstance(earlier, dict) and isinstance(now, dict):
        return any(lost(value, now.get(name)) for name, value in earlier.items())
    if isinstance(earlier, list) and isinstance(now, list):
        return len(earlier) != len(now) or any(map(lost, earlier, now))
    return earlier != now


def test_each_kind_has_a_document() -> None:
    assert EARLIER.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_earlier_version_wrote_is_read_and_written_again(kind: str) -> None:
    document = json.dumps(EARLIER[kind]).encode()
    read = msgspec.json.decode(document, type=KINDS[kind])
    assert not lost(EARLIER[kind], json.loads(msgspec.json.encode(read)))


def test_packing_a_record_changes_nothing() -> None:
    upload = from_json(json.dumps(EARLIER["upload"]).encode())
    assert unpack(pack(upload)) == upload


def test_tasks_have_the_names_by_which_earlier_versions_send_them() -> None:
    names = {"uploads.inspect", "uploads.register", "uploads.audit"}
    names |= {"uploads.resume", "uploads.remove", "uploads.notify", "uploads.sweep"}
    assert names <= {step.value for step in Step}
    assert names <= set(QUEUES)
