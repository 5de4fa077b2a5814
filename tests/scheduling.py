"""Which tests stand together: those on the same servers, in one of the processes of tests."""

import re
from typing import Final

from xdist.scheduler import LoadScopeScheduling

_DOOR: Final = re.compile(r"\[(?:.*-)?((?:relay|external)-(?:fast|plain)-(?:c|python)-parser)\b")
_WITH_SERVERS: Final = (
    "hostile",
    "flows",
    "doctor",
    "identity",
    "clients",
    "workers",
    "sandbox",
    "servers",
)


_CORPUS: Final = "tests/corpus"
_LONGEST: Final = (_CORPUS, "tests/crashes/test_minute.py")
"""Of `make test-slow`, which it waits for: the one computes, in the background, the other waits."""


def group_of(nodeid: str) -> str:
    """A test's module; of those at one of the hostile gateways, that gateway.

    The corpus is one group: all its tests wait for it to be made.
    """
    module, _, test = nodeid.partition("::")
    if module.startswith(f"{_CORPUS}/"):
        return _CORPUS
    door = _DOOR.search(test) if module.startswith("tests/hostile/") else None
    return door[1] if door else module


def rank_of(nodeid: str) -> int:
    """Where it comes: what takes long must not be the last that is begun."""
    if (group := group_of(nodeid)) in _LONGEST:
        return _LONGEST.index(group) - len(_LONGEST)
    if group != nodeid.partition("::")[0]:
        return 0
    return 1 if nodeid.split("/")[1] in _WITH_SERVERS else 2


class ByServers(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Gives each process one group of tests after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
