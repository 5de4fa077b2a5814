"""A test that fails shows what its servers logged meanwhile, and nothing of other tests."""

import pytest

pytest_plugins = ["pytester"]

_TESTS = """
import os

import pytest

pytest_plugins = ["tests.servers.logs"]


@pytest.fixture(scope="session")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("servers") / "gateway-1.log"


def test_passes(log):
    log.write_text("logged by one that passes")
    (log.parent / "worker.log").write_text("not written to by the other")
    os.utime(log.parent / "worker.log", (0, 0))


def test_fails(log):
    log.write_text("what went wrong")
    assert False
"""


def test_what_a_gateway_logged_is_printed_with_the_failure(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_TESTS)
    ran = pytester.runpytest_inprocess("-o", "asyncio_default_fixture_loop_scope=function")
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*end of servers0/gateway-1.log*", "what went wrong"])
    ran.stdout.no_fnmatch_line("*not written to by the other*")
