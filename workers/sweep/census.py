"""Counts what the bucket holds as the sweeper walks through it, and reports each full round."""

import time
from collections import Counter

from msgspec.structs import replace

from gateway.records.backlog_snapshot import Count
from workers.sweep.lease import Memory
from workers.sweep.traces import Traces


class Census:
    """The count of one round, which takes several passes."""

    def __init__(self, memory: Memory) -> None:
        """Continue the count of an earlier pass, or begin a new one.

        A round that began before there was a count is not reported.
        """
        before = memory.counting if memory.walk is not None else Count(time.time(), {}, {})
        self._began = before.began if before is not None else None
        self._objects = Counter(before.objects if before is not None else {})
        self._bytes = Counter(before.bytes if before is not None else {})

    def add(self, traces: Traces) -> None:
        """Count what the bucket has of one upload."""
        found = {
            "files" if traces.has_record else "orphans": traces.incoming,
            "pending": traces.pending,
            "records": traces.record,
            "copies": traces.spare,
        }
        for kind, info in found.items():
            if info is not None:
                self._objects[kind] += 1
                self._bytes[kind] += info.size

    def told(self, memory: Memory, *, whole: bool) -> Memory:
        """The memory with the count in it; `whole`: the round is complete."""
        if self._began is None:
            return memory
        count = Count(self._began, dict(self._objects), dict(self._bytes))
        if whole:
            return replace(memory, counting=None, counted=count)
        return replace(memory, counting=count)
