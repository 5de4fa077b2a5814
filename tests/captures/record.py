"""Records what the real clients send: `python -m tests.captures.record` from the checkout.

Every client gets dummy words for its credentials, so that a request is kept exactly as it came
and yet holds no secret. Boundaries and the port in `Host` differ from run to run.
"""

import asyncio
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.captures import HERE, Part
from tests.captures.mobile import mobiles
from tests.captures.reconstructed import ios_upload, jpeg
from tests.captures.recorder import Recorder, recording
from tests.clients.curl import documented_upload
from tests.clients.drivers import Account, Form, node_argv, python_argv, run
from tests.clients.install import install_node, install_python
from tests.clients.samples import write_form

TOKEN_REQUEST: Final = b"POST /oauth/token "


@dataclass(frozen=True)
class Case:
    """One command to run, and the parts that it is given; `name` is the capture's file name."""

    name: str
    argv: list[str]
    parts: tuple[Part, ...]


def part(
    name: str, content: bytes, filename: str | None = None, content_type: str | None = None
) -> Part:
    """A part as it is given to a client."""
    digest = hashlib.sha256(content).hexdigest()
    return Part(name, filename, content_type, len(content), digest)


def file_part(path: Path, content_type: str) -> Part:
    """The part `file` that a client makes of the file at `path`."""
    return part("file", path.read_bytes(), path.name, content_type)


def field_parts(fields: Mapping[str, str]) -> tuple[Part, ...]:
    """The parts that a client makes of fields."""
    return tuple(part(name, value.encode()) for name, value in fields.items())


def node_cases(node: Path, account: Account, form: Form) -> Iterator[Case]:
    """Both generations of the platform SDK, and the end-user SDK."""
    file = file_part(form.file, "image/png")
    camel = field_parts({"groupTag": form.group_tag, "properties": form.properties})
    snake = field_parts({"group_tag": form.group_tag, "properties": form.properties})
    quoted = field_parts({"groupTag": json.dumps(form.group_tag), "properties": form.properties})
    calls = {
        ("psdk", "import-users-without-boundary", "importUsers"): (
            file_part(form.users, "application/json"),
        ),
        ("psdk", "channel-message-chunked", "sendChannelMessage"): (file, *camel),
        ("ck2", "channel-message-native", "sendChannelMessage"): (file, *snake),
        ("ck2", "channel-message-form-data", "sendChannelMessage.form-data"): (file, *snake),
        ("core", "runtime-upload", "sendMessage"): (file, *quoted),
    }
    versions = {"psdk": "2.4.0", "ck2": "2.106.8", "core": "2.106.2"}
    for (client, case, call), parts in calls.items():
        argv = node_argv(node, f"{client}.mjs", account, form, [call])
        yield Case(f"{client}-{versions[client]}-{case}", argv, parts)


def python_cases(python: Path, account: Account, form: Form) -> Iterator[Case]:
    """The Python SDK: a form with its fields first, and an import that is no JSON."""
    fields = field_parts({"groupTag": form.group_tag, "properties": form.properties})
    upload = (*fields, file_part(form.file, "image/png"))
    # The SDK's own spelling of the objects that it was given.
    users = ",".join(
        str({
            "name": user["name"],
            "displayName": user["displayName"],
            "isGuest": False,
            "properties": {},
        })
        for user in json.loads(form.users.read_text())
    )  # fmt: skip
    calls = {
        ("channel-message-fields-first", "call_api.channel_message"): upload,
        ("import-users-repr", "import_users"): (part("file", users.encode()),),
    }
    for (case, call), parts in calls.items():
        yield Case(f"py-1.0.0-{case}", python_argv(python, account, form, [call]), parts)


def curl_cases(account: Account, form: Form, odd_name: Form) -> Iterator[Case]:
    """The documented command, and what its readers make of it."""
    url = f"{account.base_url}/v1/channels/{account.channel}/messages"
    token = account.access_token
    fields = {"groupTag": form.group_tag, "properties": form.properties}
    parts = (file_part(form.file, "image/png"), *field_parts(fields))
    version = curl_version()
    documented = documented_upload(url, token, form.file, fields)
    yield Case(f"curl-{version}-documented", documented, parts)
    own = documented_upload(
        url, token, form.file, fields, content_type="multipart/form-data; boundary=mine"
    )
    yield Case(f"curl-{version}-two-boundaries", own, parts)
    for case, header in (
        ("chunked", "Transfer-Encoding: chunked"),
        ("expect", "Expect: 100-continue"),
    ):
        argv = documented_upload(url, token, form.file, fields, headers=[header])
        yield Case(f"curl-{version}-{case}", argv, parts)
    odd = documented_upload(url, token, odd_name.file)
    yield Case(f"curl-{version}-odd-filename", odd, (file_part(odd_name.file, "image/png"),))


def curl_version() -> str:
    """The version of the curl on the PATH."""
    report = subprocess.run(["curl", "--version"], check=True, capture_output=True, text=True)
    return report.stdout.split()[1]


async def record(case: Case, recorder: Recorder) -> None:
    """Run one command and keep its upload; beside a Node platform SDK's, its token request."""
    recorder.requests.clear()
    await run(case.argv)
    *token_requests, upload = recorder.requests
    save(case.name, upload, case.parts)
    client, version, _ = case.name.split("-", 2)
    grant = (part("grant_type", b"client_credentials"),)
    for request in token_requests:
        if not request.startswith(TOKEN_REQUEST):
            raise RuntimeError(f"{case.name} made an unexpected request")
        save(f"{client}-{version}-token", request, grant)


def save(name: str, request: bytes, parts: tuple[Part, ...], *, ambiguous: bool = False) -> None:
    """Write a capture and its sidecar."""
    head = request.partition(b"\r\n\r\n")[0].decode()
    fields = (line.partition(": ") for line in head.split("\r\n")[1:])
    (content_type,) = [value for key, _, value in fields if key.lower() == "content-type"]
    sidecar = {
        "content_type": content_type,
        "parts": [asdict(each) for each in parts],
        "ambiguous": ambiguous,
    }
    (HERE / f"{name}.http").write_bytes(request)
    text = json.dumps(sidecar, indent=2, ensure_ascii=False)
    (HERE / f"{name}.json").write_text(text + "\n")


def save_reconstructed() -> None:
    """What cannot be run here: the iOS SDK and mobile clients, from their sources."""
    photos = (jpeg(b"first"), jpeg(b"second"))
    parts = tuple(part("file", photo, "file.png", "image/png") for photo in photos)
    save("ios-several-files-reconstructed", ios_upload(photos), parts)
    for mobile in mobiles():
        given = tuple(piece.given for piece in mobile.pieces)
        save(mobile.name, mobile.request, given, ambiguous=mobile.ambiguous)


async def main() -> None:
    """Record every case, one after the other."""
    node, python = install_node(), install_python()
    with tempfile.TemporaryDirectory() as folder:
        form = write_form(Path(folder))
        odd_name = write_form(Path(folder), name='holiday "2021" é 写真.png')
        async with recording() as recorder:
            account = Account(
                base_url=recorder.url,
                token_url=f"{recorder.url}/oauth/token",
                client_id="CLIENT-ID",
                client_secret="CLIENT-SECRET",
                access_token="ACCESS-TOKEN",
                channel=702,
                user=1,
            )
            for case in (
                *node_cases(node, account, form),
                *python_cases(python, account, form),
                *curl_cases(account, form, odd_name),
            ):
                await record(case, recorder)
    save_reconstructed()


if __name__ == "__main__":
    asyncio.run(main())
