"""Uploads of every end while the receiver of webhooks fails in every way, and parts are killed.

One endpoint is down at first, then slow, gone (410), busy (429), garbled, moved (redirects), and
well at last; another one is well throughout. Meanwhile workers and gateways are killed, and Redis,
which is the broker, too, is killed and wiped. Then every end must have arrived at both.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from chaos.command import judge, parsed, parser_of, say
from chaos.webhooks.audit import Flaw
from chaos.webhooks.plan import FAULTS
from chaos.webhooks.run import Plan, Result, run

_SECONDS_PER_UPLOAD = 0.15
_MOST_SHOWN = 40

Name = TypeVar("Name", bound=str)


def main() -> int:
    """Run it; returns 0 if it found no flaw, 1 if it found any, 2 if there was no verdict."""
    options = parsed(parser_of("chaos.webhooks", __doc__, FAULTS), _SECONDS_PER_UPLOAD)
    plan = Plan(options.seed, options.uploads, options.seconds, options.faults)
    say(f"seed {plan.seed}: {plan.uploads} uploads in {plan.seconds:.0f} s")

    def once(data_dir: Path) -> Result:
        return run(plan, data_dir, say)

    return judge(options, "chaos-webhooks-", once, _document, _text)


def _document(result: Result) -> dict[str, object]:
    verdict = result.verdict
    return {
        "passed": result.passed,
        "seed": result.plan.seed,
        "seconds": round(result.seconds, 1),
        "uploads": result.plan.uploads,
        "acknowledged": result.acknowledged,
        "ends": verdict.ends,
        "attempts": verdict.attempts,
        "accepted": verdict.accepted,
        "repeated": verdict.repeated,
        "settled_after": round(result.settled, 1),
        "waited_for_another_attempt": result.left.far,
        **{flaw.value: verdict.count(flaw) for flaw in Flaw},
        "unproved": verdict.unproved,
        "faults": [
            {"at": round(struck.at, 1), "fault": str(struck.fault), "hit": struck.hit}
            for struck in result.struck
        ],
        "findings": [f"{finding.flaw}: {finding.why}" for finding in verdict.findings],
    }


def _text(result: Result) -> str:
    verdict = result.verdict
    hits = sum(struck.hit for struck in result.struck)
    told = (
        f"{result.plan.uploads} uploads in {result.seconds:.0f} s, seed {result.plan.seed},"
        f" {hits} of {len(result.struck)} faults hit; {result.acknowledged} acknowledged"
    )
    lines = [told, f"ends: {_counted(verdict.ends)}"]
    for name, attempts in verdict.attempts.items():
        lines.append(
            f"{name}: {verdict.accepted[name]} ends accepted,"
            f" {verdict.repeated[name]} of them more than once; attempts: {_counted(attempts)}"
        )
    lines.append(
        f"nothing more came by itself {result.settled:.1f} s after the last upload;"
        f" {len(result.left.far)} messages waited for an attempt of their own"
    )
    lines += [f"  {each.flaw}: {each.why}" for each in verdict.findings[:_MOST_SHOWN]]
    if (more := len(verdict.findings) - _MOST_SHOWN) > 0:
        lines.append(f"  and {more} more")
    if verdict.unproved:
        lines.append(f"no message told of: {', '.join(verdict.unproved)}")
    return "\n".join([*lines, "passed" if result.passed else "FAILED"])


def _counted(counts: Mapping[Name, int]) -> str:
    return ", ".join(f"{name} x {counts[name]}" for name in sorted(counts)) or "none"


if __name__ == "__main__":
    sys.exit(main())
