"""What a sweep considers left behind, by the listings alone."""

import pytest

from gateway.records.bucket import FENCED_FOR, ORPHANED_AFTER
from gateway.store.objects import ObjectInfo
from workers.sweep.leftovers import (
    ABANDONED,
    is_late,
    is_marked_in_vain,
    is_orphan,
    is_past,
    is_spare,
)
from workers.sweep.traces import Traces

OLD = ORPHANED_AFTER + 60


def traces(
    incoming: float | None = None,
    pending: float | None = None,
    record: float | None = None,
    spare: float | None = None,
    mark: float | None = None,
) -> Traces:
    def info(age: float | None) -> ObjectInfo | None:
        return None if age is None else ObjectInfo("key", 1, "etag", age)

    return Traces("id", info(incoming), info(pending), info(record), info(spare), info(mark))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (traces(incoming=OLD), True),
        (traces(incoming=ORPHANED_AFTER), False),
        (traces(incoming=OLD, pending=1.0), False),
        (traces(incoming=OLD, record=1.0), False),
        (traces(pending=OLD), False),
    ],
)
def test_an_orphan_is_a_file_that_no_record_tells_of(found: Traces, *, expected: bool) -> None:
    assert is_orphan(found) is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (traces(incoming=OLD, record=OLD + 60), True),
        (traces(incoming=OLD, record=OLD), False),  # as of nearly every upload
        (traces(incoming=OLD, record=OLD + 5), False),  # pages of different moments
        (traces(incoming=OLD + 60, record=OLD), False),
        (traces(incoming=ORPHANED_AFTER, record=OLD + 60), False),
        (traces(incoming=OLD, pending=OLD, record=OLD + 60), False),  # taken up again
        (traces(incoming=OLD), False),
    ],
)
def test_a_file_that_is_newer_than_the_end_came_late(found: Traces, *, expected: bool) -> None:
    assert is_late(found) is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (traces(spare=ABANDONED + 1), True),
        (traces(spare=ABANDONED + 1, record=OLD), True),
        (traces(spare=ABANDONED), False),  # its file may be about to be completed
        (traces(spare=ABANDONED + 1, incoming=OLD), False),
        (traces(spare=ABANDONED + 1, pending=OLD), False),
        (traces(incoming=OLD), False),
    ],
)
def test_a_copy_of_a_record_goes_with_its_file(found: Traces, *, expected: bool) -> None:
    assert is_spare(found) is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (traces(incoming=OLD, mark=1.0), False),
        (traces(incoming=OLD, mark=1.0, pending=1.0), True),
        (traces(incoming=OLD, mark=1.0, record=1.0), True),
        (traces(mark=1.0), True),
        (traces(incoming=OLD), False),
    ],
)
def test_orphan_mark_is_dropped_if_there_is_a_record_or_no_file(
    found: Traces, *, expected: bool
) -> None:
    assert is_marked_in_vain(found) is expected


@pytest.mark.parametrize("retention", [5.0, FENCED_FOR, 30 * FENCED_FOR])
def test_record_of_a_fence_outlasts_the_fenced_process(retention: float) -> None:
    kept = max(retention, FENCED_FOR)
    assert not is_past(traces(record=kept), retention)
    assert is_past(traces(record=kept + 1), retention)
    assert not is_past(traces(incoming=kept + 1, record=kept + 1), retention)
