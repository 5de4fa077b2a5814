"""Installs the real clients, once for each version of their lockfiles, under the checkout."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uv

HERE = Path(__file__).parent
NODE = HERE / "node"
REQUIREMENTS = HERE / "python" / "requirements.txt"
CACHE = HERE.parents[1] / "var" / "clients"


class NodeMissing(Exception):
    """There is no `node` with its `npm` on the PATH."""


def install_node() -> Path:
    """Run `npm ci` unless it has run for this lockfile; returns the path of `node`.

    Raises NodeMissing, or CalledProcessError where the registry cannot be reached.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NodeMissing("no node and npm on the PATH")
    # Beside the drivers, because node looks for modules upwards from the importing file.
    done = NODE / "node_modules" / f".installed-{_digest(NODE / 'package-lock.json')}"
    with _only_one_installs():
        if not done.exists():
            flags = ("--no-audit", "--no-fund", "--ignore-scripts")
            subprocess.run([npm, "ci", *flags], cwd=NODE, check=True, stdout=subprocess.DEVNULL)
            done.touch()
    return Path(node)


def install_python() -> Path:
    """Make the Python SDK's own environment unless it is there; returns its interpreter.

    Raises CalledProcessError where the package index cannot be reached.
    """
    environment = CACHE / f"python-{_digest(REQUIREMENTS)}"
    interpreter = environment / "bin" / "python"
    done = environment / ".installed"
    with _only_one_installs():
        if not done.exists():
            _uv("venv", "--clear", str(environment))
            _uv("pip", "install", "--python", str(interpreter),
                "--require-hashes", "--requirement", str(REQUIREMENTS))  # fmt: skip
            done.touch()
    return interpreter


def _uv(*arguments: str) -> None:
    subprocess.run([uv.find_uv_bin(), *arguments, "--quiet"], check=True)


def _digest(lockfile: Path) -> str:
    return hashlib.sha256(lockfile.read_bytes()).hexdigest()[:16]


@contextmanager
def _only_one_installs() -> Iterator[None]:
    """Test processes that start together install one after the other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
