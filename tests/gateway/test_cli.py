"""What the command line needs before it knows which command it is to run."""

import subprocess
import sys


def _imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_help_waits_for_no_server_or_client() -> None:
    assert not _imported_by("gateway.cli") & {"aiohttp", "botocore", "celery", "pydantic", "redis"}


def test_the_supervisor_of_several_processes_takes_no_memory_for_serving() -> None:
    modules = _imported_by("gateway.cli, gateway.settings, gateway.server.supervisor")
    assert not modules & {"aiohttp", "botocore", "celery", "kombu"}
