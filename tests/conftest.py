import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.scheduling import ByServers, rank_of

# Tests start dozens of processes: what one of them has compiled is kept for the others.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What helpers assert is told as fully as what tests do.
pytest.register_assert_rewrite("tests.hostile")
pytest_plugins = ["tests.servers.fixtures", "tests.servers.logs"]

# How long an example takes says more of what else the machine does than of our code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

SLOW = {"corpus", "crashes", "degraded", "deploy", "stack"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers:
    return ByServers(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave whole stacks, and parts that die or are away, to `make test-slow`."""
    items.sort(key=lambda item: rank_of(item.nodeid))
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)
