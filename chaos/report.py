"""The result of a run, for people and for scripts. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chaos.answers import Ending, Outcome
from chaos.audit import Finding, Flaw
from chaos.inject import Struck
from chaos.settle import Settled
from chaos.uploads import Mode

_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run; `seconds` from its start to the end of the last upload and fault."""

    seed: int
    seconds: float
    outcomes: Sequence[Outcome]
    struck: Sequence[Struck]
    settled: Settled

    @property
    def passed(self) -> bool:
        """Whether no flaw was found, by a run that could have found one."""
        return not self.settled.verdict.findings and not self.unproved

    @property
    def unproved(self) -> list[Mode]:
        """The modes without an acknowledged upload: they prove nothing."""
        return [
            mode
            for mode in _modes(self)
            if _endings(_outcomes(self, mode))[Ending.ACKNOWLEDGED] == 0
        ]


def as_json(report: Report) -> dict[str, object]:
    """The report as JSON members."""
    verdict = report.settled.verdict
    return {
        "passed": report.passed,
        "seed": report.seed,
        "seconds": round(report.seconds, 1),
        "uploads": len(report.outcomes),
        "endings": dict(_endings(report.outcomes)),
        "acknowledged": _endings(report.outcomes)[Ending.ACKNOWLEDGED],
        **{flaw.value: verdict.count(flaw) for flaw in Flaw},
        "audits_lost_with_redis": verdict.audits_lost,
        "settled_after": _rounded(report.settled.seconds),
        "modes": {
            mode.value: {**_of_mode(report, mode), "statuses": _statuses(report, mode)}
            for mode in _modes(report)
        },
        "faults": [
            {"at": round(struck.at, 1), "fault": str(struck.fault), "hit": struck.hit}
            for struck in report.struck
        ],
        "findings": [_finding(finding) for finding in verdict.findings],
    }


def as_text(report: Report) -> str:
    """The report as a table, with the first findings below it."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    verdict = report.settled.verdict
    hits = sum(struck.hit for struck in report.struck)
    yield (
        f"{len(report.outcomes)} uploads in {report.seconds:.0f} s, seed {report.seed},"
        f" {hits} of {len(report.struck)} faults hit"
    )
    yield ""
    flaws = [flaw.value for flaw in Flaw if flaw is not Flaw.LEFTOVER]
    # "Unanswered" is both an ending and a flaw, and is shown once.
    columns = list(dict.fromkeys(["uploads", *(ending.value for ending in Ending), *flaws]))
    yield " " * 16 + " ".join(f"{column:>{len(column)}}" for column in columns)
    for mode in _modes(report):
        counts = _of_mode(report, mode)
        cells = " ".join(f"{counts[column]:>{len(column)}}" for column in columns)
        yield f"{mode.value:<16}{cells}"
    yield ""
    for mode in _modes(report):
        told = ", ".join(f"{name} x {count}" for name, count in _statuses(report, mode).items())
        yield f"answers to {mode.value}: {told}"
    yield ""
    yield f"left over in the bucket: {verdict.count(Flaw.LEFTOVER)}"
    yield f"audits lost with Redis: {verdict.audits_lost}"
    seconds = report.settled.seconds
    yield "never settled" if seconds is None else f"settled after {seconds:.1f} s"
    for finding in verdict.findings[:_MOST_SHOWN]:
        yield f"  {finding.flaw}: {finding.name} (upload {finding.upload_id}): {finding.why}"
    if (more := len(verdict.findings) - _MOST_SHOWN) > 0:
        yield f"  and {more} more"
    if report.unproved:
        yield f"nothing was acknowledged of: {', '.join(report.unproved)}"
    yield "passed" if report.passed else "FAILED"


def _modes(report: Report) -> list[Mode]:
    return [
        mode for mode in Mode if any(outcome.upload.mode is mode for outcome in report.outcomes)
    ]


def _outcomes(report: Report, mode: Mode) -> list[Outcome]:
    return [outcome for outcome in report.outcomes if outcome.upload.mode is mode]


def _of_mode(report: Report, mode: Mode) -> Mapping[str, int]:
    outcomes = _outcomes(report, mode)
    endings = _endings(outcomes)
    return {
        "uploads": len(outcomes),
        **{flaw.value: report.settled.verdict.count(flaw, mode) for flaw in Flaw},
        **{ending.value: endings[ending] for ending in Ending},
    }


def _endings(outcomes: Sequence[Outcome]) -> Counter[Ending]:
    return Counter(outcome.ending for outcome in outcomes)


def _statuses(report: Report, mode: Mode) -> Mapping[str, int]:
    """How often each status was answered, over all attempts."""
    counted = Counter(status for outcome in _outcomes(report, mode) for status in outcome.statuses)
    return {str(status or "none"): counted[status] for status in sorted(counted)}


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "flaw": finding.flaw,
        "why": finding.why,
        "upload_id": finding.upload_id,
        "name": finding.name,
        "mode": finding.mode,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
