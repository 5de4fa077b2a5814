import json

from chaos.answers import Answer, Ending, Outcome
from chaos.audit import Finding, Flaw, Verdict
from chaos.inject import Struck
from chaos.plan import Fault, Kind
from chaos.report import Report, as_json, as_text
from chaos.settle import Settled
from chaos.uploads import Mode, plan_uploads


def report_of(*findings: Finding, ending: Ending = Ending.ACKNOWLEDGED) -> Report:
    uploads = plan_uploads(1, 3, 1, [Mode.EXTERNAL])
    outcomes = [Outcome(each, ending, "", Answer(200), statuses=(503, 0, 200)) for each in uploads]
    struck = [Struck(1.0, Fault(Kind.FLUSHALL), hit=True)]
    return Report(1, 2.0, outcomes, struck, Settled(Verdict(findings), 0.5))


def test_a_run_without_findings_passes() -> None:
    report = report_of()
    document = json.loads(json.dumps(as_json(report)))
    assert document["passed"] is True
    assert document["acknowledged"] == document["uploads"] == 3
    assert [document[flaw] for flaw in Flaw] == [0] * len(Flaw)
    assert document["modes"]["external"]["statuses"] == {"none": 3, "200": 3, "503": 3}
    assert as_text(report).endswith("passed")


def test_one_finding_of_any_kind_fails_it_and_is_shown() -> None:
    for flaw in Flaw:
        report = report_of(Finding(flaw, "because", "0190", "one.png", Mode.EXTERNAL))
        assert not report.passed
        assert as_json(report)[flaw] == 1
        assert f"{flaw}: one.png (upload 0190): because" in as_text(report)


def test_a_run_that_acknowledged_nothing_proves_nothing() -> None:
    report = report_of(ending=Ending.UNACKNOWLEDGED)
    assert not report.passed
    assert "nothing was acknowledged of: external" in as_text(report)
