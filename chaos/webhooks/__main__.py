"""Uploads of every end while the receiver of webhooks fails in every way, and parts are killed.

One endpoint is down at first, then slow, gone (410), busy (429), garbled, moved (redirects), and
well at last; another one is well throughout. Meanwhile workers and gateways are killed, and Redis,
which is the broker, too, is killed and wiped. Then every end must have arrived at both.
"""

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from chaos.plan import chosen
from chaos.settle import CannotLook
from chaos.webhooks.audit import Flaw
from chaos.webhooks.plan import FAULTS
from chaos.webhooks.run import Plan, Result, run
from gateway.stack.part import PartError

_SECONDS_PER_UPLOAD = 0.15
_SHORTEST = 15.0
_SEEDS = 1_000_000
_MOST_SHOWN = 40

Name = TypeVar("Name", bound=str)


def main() -> int:
    """Run it; returns 0 if it found no flaw, 1 if it found any, 2 if there was no verdict."""
    options = _options()
    plan = Plan(options.seed, options.uploads, options.seconds, options.faults)
    _say(f"seed {plan.seed}: {plan.uploads} uploads in {plan.seconds:.0f} s")
    data_dir = Path(tempfile.mkdtemp(prefix="chaos-webhooks-"))
    keep = True
    try:
        result = run(plan, data_dir, _say)
        keep = options.keep or not result.passed
        _report(result, data_dir if keep else None, as_json=options.json)
    except (PartError, CannotLook, ExceptionGroup) as error:
        _say(f"error: {error}\nlogs: {data_dir}")
        return 2
    except KeyboardInterrupt:
        keep = options.keep
        return 130
    finally:
        if not keep:
            shutil.rmtree(data_dir, ignore_errors=True)
    return 0 if result.passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos.webhooks", description=__doc__)
    parser.add_argument("--uploads", type=int, default=2000)
    parser.add_argument("--seconds", type=float, help="that the load takes; default: by uploads")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(_SEEDS))
    parser.add_argument("--faults", type=chosen, default=FAULTS, help="as of `python -m chaos`")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--keep", action="store_true", help="keep data and logs in any case")
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = max(_SHORTEST, options.uploads * _SECONDS_PER_UPLOAD)
    return options


def _report(result: Result, data_dir: Path | None, *, as_json: bool) -> None:
    document = _document(result) | {"logs": str(data_dir / "logs") if data_dir else None}
    if data_dir is not None:
        (data_dir / "report.json").write_text(json.dumps(document, indent=2))
    sys.stderr.flush()
    print(json.dumps(document) if as_json else "\n".join(_lines(result)))
    if data_dir is not None:
        _say(f"logs, data and report.json: {data_dir}")


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


def _lines(result: Result) -> Sequence[str]:
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
    return [*lines, "passed" if result.passed else "FAILED"]


def _counted(counts: Mapping[Name, int]) -> str:
    return ", ".join(f"{name} x {counts[name]}" for name in sorted(counts)) or "none"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
