"""A worker and a beat without a supervisor, next to a broker that fails in every way."""

import os
from pathlib import Path

import pytest

from chaos.brokers.faults import Fault, Kind
from chaos.brokers.run import Plan, run
from tests.servers import rabbitmq

ALIKE = (Fault(Kind.RESTART), Fault(Kind.MEMORY, 3), Fault(Kind.KILL), Fault(Kind.FREEZE, 3))
OF_REDIS = (Fault(Kind.FAILOVER), Fault(Kind.RESTART), Fault(Kind.KILL), Fault(Kind.RESTART))


@pytest.mark.timeout(600)  # longer than all limits of a run
@pytest.mark.parametrize(
    ("broker", "pool", "faults"),
    [
        ("redis", "threads", (*ALIKE, *OF_REDIS)),
        ("redis", "processes", ALIKE[:3]),
        ("quorum", "threads", ALIKE),
    ],
)
def test_worker_and_beat_survive_each_failure_and_lose_nothing(
    tmp_path: Path, broker: str, pool: str, faults: tuple[Fault, ...]
) -> None:
    if broker != "redis":
        rabbitmq.require()
    plan = Plan(broker, pool, faults, pause=1, rate=2, seed=os.getpid(), sweep_interval=3)
    result = run(plan, tmp_path, print)
    assert result.passed, result.as_json()
    assert result.lived == {"worker": None, "beat": None}
