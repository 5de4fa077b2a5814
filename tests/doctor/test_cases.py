"""Each set-up that is broken, as operators break them: doctor's line says what, and what to do."""

import asyncio
from pathlib import Path

import pytest

from gateway.doctor.examination import examine
from gateway.settings import load
from tests.doctor.cases import CASES
from tests.doctor.ground import ADVICE, FOREIGN, Case, Ground, changed
from tests.flows.client import PATIENCE
from tests.servers.zygote import ForkedPart

DOCS = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text()


def test_doctor_cases_are_complete_and_unique() -> None:
    assert len(CASES) >= 60
    assert len({(case.part, case.what) for case in CASES}) == len(CASES)


def test_the_table_of_the_docs_is_that_of_the_cases() -> None:
    rows = DOCS.partition("| what is wrong |")[2].splitlines()
    told = [line for line in rows if line.count(" | ") == 3]
    assert told[1:] == [case.row for case in CASES]


async def _forked(case: Case, environ: dict[str, str], directory: Path) -> tuple[int, list[str]]:
    """What it says as a process of its own, whose clock is off."""
    argv = ["gateway.cli", "doctor", "--only", case.looked_at]
    log = directory / "doctor.log"
    doctor = ForkedPart(argv, environ, log, lambda: True)
    async with asyncio.timeout(PATIENCE):
        while (status := doctor.exit_status) is None:
            await asyncio.sleep(0.05)
    return status, log.read_text().splitlines()


async def _said(case: Case, ground: Ground) -> tuple[int, list[str]]:
    """The exit status, and the lines of the part, without its name."""
    async with case.broken(ground) as changes:
        environ = changed(ground.environ, changes)
        lines: list[str] = []
        if "CLOCK_OFF_BY" in environ:
            status, lines = await _forked(case, environ, ground.directory)
        else:
            with pytest.MonkeyPatch.context() as patch:
                for name in FOREIGN & changes.keys():
                    patch.setenv(name, environ[name])
                status = await examine(load(environ), lines.append, only=[case.looked_at])
    of_part = [line.partition(": ")[2] for line in lines if line.startswith(f"{case.part}: ")]
    return status, of_part


@pytest.mark.usefixtures("sandbox")
@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=f"{case.part}-{case.what.replace(' ', '-')}") for case in CASES],
)
async def test_every_fault_is_reported_with_its_remedy(
    case: Case, environ: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    status, lines = await _said(case, Ground(environ, tmp_path, request))
    assert any(case.matches(line) for line in lines), lines
    assert status == (0 if case.part == ADVICE else 1)
    assert not any(secret in line for line in lines for secret in ("wrong@", ":any@"))
