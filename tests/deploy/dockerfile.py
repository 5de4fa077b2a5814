"""A Dockerfile's build stage, carried out in a directory instead of an image."""

import os
import re
import shlex
import shutil
from pathlib import Path

import uv

from tests.deploy.tools import DEPLOY, ROOT, checked

_PIP = re.compile(r"\bpip --python (\S+) install --no-cache-dir\b")
_QUICK_PIP = rf"{uv.find_uv_bin()} pip install --python \1"
"""Takes a tenth of the time."""


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its arguments, without comments and continuations."""
    joined = re.sub(r"\\\n(\s*#.*\n)*", " ", re.sub(r"(?m)^#.*\n", "", text))
    lines = (line.strip() for line in joined.splitlines())
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)]


def stages(text: str) -> list[list[tuple[str, str]]]:
    """The instructions of each stage, in their order."""
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions(text):
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, rest))
    return found


def build(directory: Path) -> Path:
    """Carry out the first stage; returns the environment that the image would have.

    Everything that it copies comes from the checkout, everything that it installs from the index.
    """
    source = directory / "src"
    source.mkdir()
    for elsewhere in ("opt", "tmp"):
        (directory / elsewhere).mkdir()
    python = directory / "python"
    checked([uv.find_uv_bin(), "venv", str(python)])
    path = f"{python / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "VIRTUAL_ENV": "", "PYTHONPATH": ""}
    for name, rest in stages((DEPLOY / "Dockerfile").read_text())[0]:
        if name == "COPY":
            _copy(source, *shlex.split(rest))
        elif name == "RUN":
            script = re.sub(r"(?<![\w.])(/opt/|/tmp/)", rf"{directory}\1", rest)
            script = _PIP.sub(_QUICK_PIP, script)
            checked(["bash", "-o", "pipefail", "-ec", script], cwd=source, environ=environ)
    return directory / "opt" / "gateway"


def _copy(source: Path, *names: str) -> None:
    *wanted, target = names
    for name in wanted:
        origin = ROOT / name
        copied = source / name if origin.is_dir() else source / target / origin.name
        copied.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, copied, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, copied)
