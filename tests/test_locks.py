"""The locks: each has what the extras ask for, the smaller ones at the versions of the largest."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "locks"
EXTRAS = {
    "gateway": {"libmagic"},
    "run": {"embedded"},
    "test": {"test"},
    "dev": {"dev"},
}
OWN = "chatkitty-gateway"


def entries(lock: str) -> list[str]:
    """Each requirement with its marker and hashes."""
    text = (LOCKS / f"{lock}.lock").read_text()
    return re.findall(r"(?m)^[a-z].*\\\n(?:    --hash=.*\n?)+", text)


def versions(lock: str) -> dict[str, set[Version]]:
    found: dict[str, set[Version]] = {}
    for entry in entries(lock):
        name, version = re.match(r"([a-z0-9-]+)==(\S+)", entry).groups()  # type: ignore[union-attr]
        found.setdefault(name, set()).add(Version(version))
    return found


def required(extras: set[str]) -> list[Requirement]:
    """What the project asks for by itself and by those extras, and by extras within them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, asked = list(project["dependencies"]), list(extras)
    while asked:
        for line in project["optional-dependencies"][asked.pop()]:
            if (requirement := Requirement(line)).name == OWN:
                asked.extend(requirement.extras)
            else:
                wanted.append(line)
    return [Requirement(line) for line in wanted]


@pytest.mark.parametrize("lock", EXTRAS)
def test_a_lock_has_every_package_that_is_required(lock: str) -> None:
    locked = versions(lock)
    for requirement in required(EXTRAS[lock]):
        met = locked.get(canonicalize_name(requirement.name), set())
        assert any(requirement.specifier.contains(version) for version in met), requirement


@pytest.mark.parametrize(("lock", "larger"), [("gateway", "run"), ("run", "test"), ("test", "dev")])
def test_a_lock_is_a_part_of_the_next(lock: str, larger: str) -> None:
    assert set(entries(lock)) < set(entries(larger))


def test_build_packages_are_among_those_that_run() -> None:
    assert set(entries("build")) < set(entries("run"))


def test_running_takes_nothing_that_tests_or_checks() -> None:
    asked = {requirement.name for requirement in required({"dev"})}
    for_running = {requirement.name for requirement in required({"embedded"})}
    assert versions("run").keys().isdisjoint(asked - for_running)
