"""Uploads while parts die, freeze and lose data; then checks whether any is lost, doubled or wrong.

The seed decides everything in advance, so that a run can be repeated: the uploads, the faults and
their times. Only effects of timing differ.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from chaos.answers import Ending, Outcome
from chaos.command import judge, parsed, parser_of, positive, say
from chaos.inject import Injector
from chaos.load import Load, run_load
from chaos.look import Lookout
from chaos.plan import LOSES_REDIS, Fault, Kind, plan
from chaos.report import Report, as_json, as_text
from chaos.settle import settle
from chaos.stack import Stack
from chaos.uploads import Mode, plan_uploads
from gateway.stack.part import PartError

_SECONDS_PER_UPLOAD = 0.09
_TELL_SECONDS = 5.0


def main() -> int:
    """Run it; returns 0 if it found no flaw, 1 if it found any, 2 if there was no verdict."""
    options = _options()
    faults = plan(options.seed, options.seconds, options.faults)
    say(f"seed {options.seed}: {options.uploads} uploads in {options.seconds:.0f} s; faults:")
    for at, fault in faults:
        say(f"{at:6.1f} s  {fault}")

    def once(data_dir: Path) -> Report:
        return _run(options, faults, data_dir)

    return judge(options, "chaos-", once, as_json, as_text)


def _options() -> argparse.Namespace:
    parser = parser_of("chaos", __doc__, tuple(Kind))
    parser.add_argument("--clients", type=positive, default=16, help="uploads at a time")
    parser.add_argument(
        "--only", type=_modes, default=tuple(Mode), help=f"some of {', '.join(Mode)}"
    )
    return parsed(parser, _SECONDS_PER_UPLOAD)


def _run(
    options: argparse.Namespace, faults: Sequence[tuple[float, Fault]], data_dir: Path
) -> Report:
    """One run on its own stack, which is stopped at the end in any case."""
    uploads = plan_uploads(options.seed, options.uploads, options.seconds, options.only)
    with Stack(data_dir) as stack:
        return asyncio.run(_torment(stack, Load(options.seed, uploads, options.clients), faults))


async def _torment(stack: Stack, load: Load, faults: Sequence[tuple[float, Fault]]) -> Report:
    told = stack.told()
    injector = Injector(stack, told, say)
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
        settled = await settle(lookout, outcomes, say, redis_forgot=redis_forgot)
    if not stack.is_up:
        raise PartError("the stack itself came to an end")
    return Report(load.seed, seconds, outcomes, injector.struck, settled)


async def _tell_progress(outcomes: Sequence[Outcome], count: int, started: float) -> None:
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            acknowledged = sum(each.ending is Ending.ACKNOWLEDGED for each in outcomes)
            say(
                f"{time.monotonic() - started:6.1f} s  {len(outcomes)} of {count} uploads ended,"
                f" {acknowledged} acknowledged"
            )


def _modes(text: str) -> tuple[Mode, ...]:
    try:
        return tuple(dict.fromkeys(Mode(word.strip()) for word in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"some of {', '.join(Mode)}") from None


if __name__ == "__main__":
    sys.exit(main())
