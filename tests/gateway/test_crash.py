"""Each point at which a process can be killed has a test that does so, and is documented."""

from pathlib import Path

import pytest

from gateway.crash import Point

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("point", Point)
def test_each_point_has_a_test_and_a_row(point: Point) -> None:
    assert any(f'"{point}"' in test.read_text() for test in (ROOT / "tests/crashes").glob("*.py"))
    assert f"`{point}`" in (ROOT / "docs/durability.md").read_text()
