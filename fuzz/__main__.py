"""Gives each target new bytes, guided by the code they reach: `python -m fuzz [TARGET …]`.

If bytes break a promise, they are written to var/fuzz, and the command fails: add them to the
corpus, which tests/fuzz runs. Needs Atheris, which runs on Linux.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"
WORK: Final = Path("var/fuzz")
LONGEST: Final = 2048
"""The longest input, in bytes: enough for every rule, and short enough to try many."""

TARGETS: Final = ("scanner", "headers", "content_type", "archive", "media")


def main() -> None:
    """Run the targets that are asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument(
        "--seed", type=int, default=0, help="for the same inputs; 0: others each time"
    )
    asked = parser.parse_args()
    targets = asked.targets or TARGETS
    broken = [name for name in targets if not _holds(name, asked.seconds, asked.seed)]
    if broken:
        sys.exit(f"broken: {', '.join(broken)}; see {WORK}")


def _holds(name: str, seconds: int, seed: int) -> bool:
    """Whether nothing broke. Keeps inputs that reach more code than the corpus does."""
    found = WORK / name
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", f"-seed={seed}"]
    crashes = f"-artifact_prefix={WORK}/{name}-"
    command = [
        sys.executable,
        "-m",
        "fuzz.one",
        name,
        *limits,
        crashes,
        str(found),
        str(CORPUS / name),
    ]
    print(f"== {name}", flush=True)
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    main()
