"""Each object in the bucket is counted once, however many passes a round takes."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from gateway.records.backlog_snapshot import KINDS
from gateway.store.objects import ObjectInfo
from workers.sweep.census import Census
from workers.sweep.lease import Memory
from workers.sweep.traces import Traces

OBJECTS = st.none() | st.integers(0, 9).map(lambda size: ObjectInfo("key", size, "etag", 0.0))
TRACES = st.builds(Traces, st.just("id"), *[OBJECTS for _ in fields(Traces)[1:]])
PASSES = st.lists(st.lists(TRACES, max_size=5), min_size=1, max_size=4)


@given(PASSES)
def test_a_round_counts_all_that_its_passes_saw(passes: list[list[Traces]]) -> None:
    memory = Memory(holder="", seconds=0.0)
    for number, seen in enumerate(passes, 1):
        census = Census(memory)
        for traces in seen:
            census.add(traces)
        whole = number == len(passes)
        assert memory.counted is None
        memory = census.told(
            Memory(holder="", seconds=0.0, walk=None if whole else "id", counting=memory.counting),
            whole=whole,
        )
    counted = memory.counted
    assert counted is not None
    assert memory.counting is None
    everything = [traces for seen in passes for traces in seen]
    there = [
        info
        for traces in everything
        for info in (traces.incoming, traces.pending, traces.record, traces.spare)
        if info is not None
    ]
    assert set(counted.objects) <= set(KINDS)
    assert sum(counted.objects.values()) == len(there)
    assert sum(counted.bytes.values()) == sum(info.size for info in there)
    lonely = [each for each in everything if each.incoming is not None and not each.has_record]
    assert counted.objects.get("orphans", 0) == len(lonely)


def test_a_round_that_began_before_the_count_is_not_reported() -> None:
    memory = Memory(holder="", seconds=0.0, walk="id")
    memory = Census(memory).told(memory, whole=True)
    assert memory.counted is None
    assert Census(Memory(holder="", seconds=0.0)).told(memory, whole=True).counted is not None
