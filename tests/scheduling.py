"""Which tests stand together: those on the same servers, in one of the processes of tests."""

import re
from typing import Final

from xdist.scheduler import LoadScopeScheduling

_DOOR: Final = re.compile(r"\[(?:.*-)?((?:relay|external)-(?:fast|plain)-(?:c|python)-parser)\b")
OTHER_PYTHON: Final = "python-parser"
"""The group of the gateways that another kind of Python runs, which takes long to start."""

_FIRST_DOOR: Final = "relay-fast-c-parser"
"""Of the others; all of them at once would leave no other test a core."""

_WITH_SERVERS: Final = (
    "hostile",
    "flows",
    "doctor",
    "identity",
    "clients",
    "pages",
    "workers",
    "sandbox",
    "servers",
)


_CORPUS: Final = "tests/corpus"
LONGEST: Final = (
    _CORPUS,
    "tests/degraded/test_failing_brokers.py",
    "tests/crashes/test_minute.py",
    "tests/crashes/test_sessions.py",
    "tests/deploy/test_rolling.py",
    "tests/degraded/test_rabbitmq_queues.py",
    "tests/crashes/test_removal.py",
    "tests/degraded/test_stopping.py",
    "tests/stack/test_walk.py",
    "tests/flows/test_passing_in_time.py",
    "tests/openapi/test_schemathesis.py",
    "tests/clients/test_resumed.py",
    "tests/degraded/test_brokers.py",
    "tests/crashes/test_forms.py",
    "tests/crashes/test_external.py",
    "tests/doctor/test_cases.py",
    "tests/pages/test_browser.py",
    "tests/degraded/test_memory.py",
    "tests/pages/test_trial_in_browser.py",
    "tests/crashes/test_offers.py",
    "tests/flows/test_websockets.py",
    "tests/stack/test_up.py",
    "tests/degraded/test_failover.py",
    "tests/crashes/test_held_up.py",
    "tests/workers/signatures/test_honest.py",
    "tests/stack/test_processes.py",
)
"""Those that take the most: one that was begun last would be waited for alone."""

LONG: Final = (
    "tests/gateway/multipart/test_scanner_properties.py",
    "tests/gateway/multipart/test_search_properties.py",
    "tests/gateway/multipart/test_tomcat_properties.py",
    "tests/gateway/store/test_s3.py",
    "tests/gateway/test_settings_faults.py",
    "tests/gateway/records/test_relay_batch.py",
)
"""Those without servers that take more than a few seconds: they compute while others wait."""


def group_of(nodeid: str) -> str:
    """A test's module; of those at one of the hostile gateways, that gateway.

    The corpus is one group: all its tests wait for it to be made. So are the gateways that another
    kind of Python runs: they are forked from one process.
    """
    module, _, test = nodeid.partition("::")
    if module.startswith(f"{_CORPUS}/"):
        return _CORPUS
    door = _DOOR.search(test) if module.startswith("tests/hostile/") else None
    if door is None:
        return module
    return OTHER_PYTHON if door[1].endswith(OTHER_PYTHON) else door[1]


def rank_of(nodeid: str) -> int:
    """Where it comes: what takes long must not be the last that is begun."""
    group = group_of(nodeid)
    if group == OTHER_PYTHON:
        return -len(LONGEST) - 1
    if group in LONGEST:
        return LONGEST.index(group) - len(LONGEST)
    if group == _FIRST_DOOR:
        return 0
    is_door = group != nodeid.partition("::")[0]
    return 1 if is_door or group in LONG or nodeid.split("/")[1] in _WITH_SERVERS else 2


class ByServers(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Gives each process one group of tests after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
