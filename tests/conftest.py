import os
import sys
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test
from xdist.remote import Producer

from gateway.brokers import known
from gateway.redis import transport
from tests.examples import are_many, register_profiles
from tests.scheduling import OTHER_PYTHON, ByServers, group_of, rank_of

# Tests start dozens of processes: what one of them has compiled is kept for the others.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What helpers assert is told as fully as what tests do.
pytest.register_assert_rewrite("tests.hostile")
pytest_plugins = ["tests.servers.fixtures", "tests.servers.logs"]

register_profiles()

# kombu remembers the first transport that it finds by a name: no test may have it find its own.
known.be_known()
transport.be_known()

SLOW = {"corpus", "crashes", "degraded", "deploy", "stack"}

PROPERTIES = {"chaos", "gateway", "workers"}
"""Whose properties run again in `make test-slow`, with many examples."""


INSTALLED = {"node", "python_sdk"}
"""Fixtures that install packages from the network while their first test waits."""

WITH_INSTALLATION = 300
"""Seconds that each of their tests may take: any of them may be the first."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers:
    return ByServers(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave whole stacks, parts that die or are away, and many examples to `make test-slow`.

    So are the gateways of another kind of Python. Tests that may have to install packages first
    have more time.
    """
    items.sort(key=lambda item: rank_of(item.nodeid))
    here = Path(__file__).parent
    for item in items:
        directory = item.path.relative_to(here).parts[0]
        is_slow = directory in SLOW or group_of(item.nodeid) == OTHER_PYTHON
        if is_slow or (directory in PROPERTIES and _has_many_examples(item)):
            item.add_marker(pytest.mark.slow)
        if _may_install(item) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(WITH_INSTALLATION))


def _may_install(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and not INSTALLED.isdisjoint(item.fixturenames)


def _has_many_examples(item: pytest.Item) -> bool:
    return are_many() and isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)
