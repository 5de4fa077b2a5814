"""Uploads while parts die, freeze and lose data; then checks whether any is lost, doubled or wrong.

The seed decides everything in advance, so that a run can be repeated: the uploads, the faults and
their times. Only effects of timing differ.
"""

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from chaos.answers import Ending, Outcome
from chaos.inject import Injector
from chaos.load import Load, run_load
from chaos.look import Lookout
from chaos.plan import LOSES_REDIS, Fault, Kind, chosen, plan
from chaos.report import Report, as_json, as_text
from chaos.settle import CannotLook, settle
from chaos.stack import Stack
from chaos.uploads import Mode, plan_uploads
from gateway.stack.part import PartError

_SECONDS_PER_UPLOAD = 0.09
_SHORTEST = 15.0
_SEEDS = 1_000_000
_TELL_SECONDS = 5.0


def main() -> int:
    """Run it; returns 0 if it found no flaw, 1 if it found any, 2 if there was no verdict."""
    options = _options()
    faults = plan(options.seed, options.seconds, options.faults)
    _say(f"seed {options.seed}: {options.uploads} uploads in {options.seconds:.0f} s; faults:")
    for at, fault in faults:
        _say(f"{at:6.1f} s  {fault}")
    data_dir = Path(tempfile.mkdtemp(prefix="chaos-"))
    keep = True
    try:
        report = _run(options, faults, data_dir)
        keep = options.keep or not report.passed
        _tell(report, options, data_dir if keep else None)
    except (PartError, CannotLook, ExceptionGroup) as error:
        _say(f"error: {error}\nlogs: {data_dir}")
        return 2
    except KeyboardInterrupt:
        keep = options.keep
        return 130
    finally:
        if not keep:
            shutil.rmtree(data_dir, ignore_errors=True)
    return 0 if report.passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--uploads", type=_positive, default=2000)
    parser.add_argument("--seconds", type=float, help="that the load takes; default: by uploads")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(_SEEDS))
    parser.add_argument("--clients", type=_positive, default=16, help="uploads at a time")
    parser.add_argument(
        "--faults",
        type=_kinds,
        default=tuple(Kind),
        help=f"all, none, or some of {', '.join(Kind)}",
    )
    parser.add_argument(
        "--only", type=_modes, default=tuple(Mode), help=f"some of {', '.join(Mode)}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--keep", action="store_true", help="keep data and logs in any case")
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = max(_SHORTEST, options.uploads * _SECONDS_PER_UPLOAD)
    return options


def _run(
    options: argparse.Namespace, faults: Sequence[tuple[float, Fault]], data_dir: Path
) -> Report:
    """One run on its own stack, which is stopped at the end in any case."""
    uploads = plan_uploads(options.seed, options.uploads, options.seconds, options.only)
    with Stack(data_dir) as stack:
        return asyncio.run(_torment(stack, Load(options.seed, uploads, options.clients), faults))


async def _torment(stack: Stack, load: Load, faults: Sequence[tuple[float, Fault]]) -> Report:
    told = stack.told()
    injector = Injector(stack, told, _say)
    outcomes: list[Outcome] = []
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        teller = group.create_task(_tell_progress(outcomes, len(load.uploads), started))
        async with asyncio.TaskGroup() as both:
            both.create_task(run_load(load, told, outcomes.append))
            both.create_task(injector.run(faults))
        teller.cancel()
    await injector.clear()
    seconds = time.monotonic() - started
    async with Lookout.open(told) as lookout:
        redis_forgot = any(s.hit and s.fault.kind in LOSES_REDIS for s in injector.struck)
        settled = await settle(lookout, outcomes, _say, redis_forgot=redis_forgot)
    if not stack.is_up:
        raise PartError("the stack itself came to an end")
    return Report(load.seed, seconds, outcomes, injector.struck, settled)


async def _tell_progress(outcomes: Sequence[Outcome], count: int, started: float) -> None:
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            acknowledged = sum(each.ending is Ending.ACKNOWLEDGED for each in outcomes)
            _say(
                f"{time.monotonic() - started:6.1f} s  {len(outcomes)} of {count} uploads ended,"
                f" {acknowledged} acknowledged"
            )


def _tell(report: Report, options: argparse.Namespace, data_dir: Path | None) -> None:
    """Print the report; if the data is kept, write the report there as well."""
    document = as_json(report) | {"logs": str(data_dir / "logs") if data_dir else None}
    if data_dir is not None:
        (data_dir / "report.json").write_text(json.dumps(document, indent=2))
    sys.stderr.flush()
    print(json.dumps(document) if options.json else as_text(report))
    if data_dir is not None:
        _say(f"logs, data and report.json: {data_dir}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _kinds(text: str) -> tuple[Kind, ...]:
    try:
        return chosen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _modes(text: str) -> tuple[Mode, ...]:
    try:
        return tuple(dict.fromkeys(Mode(word.strip()) for word in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"some of {', '.join(Mode)}") from None


if __name__ == "__main__":
    sys.exit(main())
