"""Tests of one hostile gateway stand together, others by their module, and the long ones first."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.hostile.doors import WIRES
from tests.scheduling import LONG, LONGEST, group_of, rank_of

WIRE = "tests/hostile/test_wire.py::test_one"
FORM = "tests/hostile/test_multipart.py::test_other"
FLOW = "tests/flows/test_relay.py::test_it[fast_relay-a]"
CORPUS = "tests/corpus/test_stack.py::test_it"
MINUTE = "tests/crashes/test_minute.py::test_it"
SCANNER = "tests/gateway/multipart/test_scanner_properties.py::test_it"
PURE = "tests/gateway/test_routes.py::test_it"


def test_each_hostile_gateway_has_a_group_wherever_its_name_stands() -> None:
    usual = [variant for variant in WIRES if not variant.pure_parser]
    groups = {group_of(f"{WIRE}[row-{variant}]") for variant in usual}
    assert len(groups) == len(usual)
    assert groups == {group_of(f"{FORM}[{variant}-row]") for variant in usual}
    assert groups == {group_of(f"{FORM}[{variant}]") for variant in usual}


def test_gateways_forked_from_one_process_are_one_group() -> None:
    others = [variant for variant in WIRES if variant.pure_parser]
    assert len({variant.kind for variant in others}) == 1
    assert len({group_of(f"{FORM}[{variant}-row]") for variant in others}) == 1


def test_tests_that_wait_for_the_corpus_are_one_group() -> None:
    assert group_of(CORPUS) == group_of(CORPUS.replace("stack", "caught")) != CORPUS


def test_all_other_tests_are_grouped_by_module() -> None:
    assert group_of(FLOW) == "tests/flows/test_relay.py"
    assert group_of(WIRE) == "tests/hostile/test_wire.py"


def test_what_takes_long_comes_first() -> None:
    pure_parser = next(variant for variant in WIRES if variant.pure_parser)
    doors = [f"{FORM}[{variant}-row]" for variant in (pure_parser, WIRES[0])]
    nodeids = [doors[0], CORPUS, MINUTE, doors[1], FLOW, PURE]
    assert all(rank_of(one) < rank_of(other) for one, other in pairwise(nodeids))
    assert rank_of(SCANNER) == rank_of(FLOW)


@pytest.mark.parametrize("group", [*LONGEST, *LONG])
def test_what_is_listed_as_long_exists(group: str) -> None:
    assert (Path(__file__).parents[1] / group).exists()


def test_pytest_starts_one_process_by_default(pytestconfig: pytest.Config) -> None:
    options = " ".join(pytestconfig.getini("addopts"))
    assert not re.search(r"(^| )(-n|--numprocesses|--dist)", options)
