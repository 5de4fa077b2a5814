"""Tests of one hostile gateway stand together, others by their module, and the long ones first."""

from itertools import pairwise

from tests.hostile.doors import WIRES
from tests.scheduling import group_of, rank_of

WIRE = "tests/hostile/test_wire.py::test_one"
FORM = "tests/hostile/test_multipart.py::test_other"
FLOW = "tests/flows/test_relay.py::test_it[fast_relay-a]"
CORPUS = "tests/corpus/test_stack.py::test_it"
MINUTE = "tests/crashes/test_minute.py::test_it"
PURE = "tests/gateway/test_routes.py::test_it"


def test_each_hostile_gateway_has_a_group_wherever_its_name_stands() -> None:
    groups = {group_of(f"{WIRE}[row-{variant}]") for variant in WIRES}
    assert len(groups) == len(WIRES)
    assert groups == {group_of(f"{FORM}[{variant}-row]") for variant in WIRES}
    assert groups == {group_of(f"{FORM}[{variant}]") for variant in WIRES}


def test_what_waits_for_the_corpus_stands_together() -> None:
    assert group_of(CORPUS) == group_of(CORPUS.replace("stack", "caught")) != CORPUS


def test_every_other_test_stands_with_its_module() -> None:
    assert group_of(FLOW) == "tests/flows/test_relay.py"
    assert group_of(WIRE) == "tests/hostile/test_wire.py"


def test_what_takes_long_comes_first() -> None:
    nodeids = [CORPUS, MINUTE, f"{FORM}[{WIRES[0]}-row]", FLOW, PURE]
    assert all(rank_of(one) < rank_of(other) for one, other in pairwise(nodeids))
