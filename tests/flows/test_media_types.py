"""Files under the names that systems give to their types: none is refused, flagged or deleted."""

from pathlib import Path

import pytest

from tests.flows import files
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, Sandbox

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"
FILES = Path(__file__).parents[1] / "files"

HONEST = [
    ("sound.flac", "audio/x-flac"),
    ("picture.png", "application/octet-string"),
    ("document.doc", "application/msword"),
    ("table.csv", "application/vnd.ms-excel"),
    ("data.json", "text/plain"),
    ("document.rtf", "application/rtf"),
    ("archive.tar.gz", "application/x-tar"),
    ("font.ttf", "font/ttf"),
    ("picture.jpg", "image/*"),
]
WRONG = [("page.html", "text/plain"), ("archive.zip", "image/jpeg"), ("picture.jpg", "image/png")]


@pytest.fixture
def deleting(start_gateway: StartGateway, external: Client) -> Client:
    """Alice, at a gateway that relays, and deletes messages with a wrong type."""
    gateway = start_gateway(delivery="relay", on_mismatch="delete")
    return Client(external.session, gateway.url, external.token)


@pytest.fixture
def strict(start_gateway: StartGateway, external: Client, tmp_path: Path) -> Client:
    """Alice, at a gateway that hosts files with `require_match`."""
    config = tmp_path / "gateway.toml"
    config.write_text('[[routes]]\npath = "/v1/**/messages"\nrequire_match = true\n')
    gateway = start_gateway(delivery="external", config=str(config))
    return Client(external.session, gateway.url, external.token)


@pytest.mark.slow
async def test_other_names_of_a_type_delete_no_message(deleting: Client, sandbox: Sandbox) -> None:
    for name, declared in HONEST:
        answer = await deleting.upload(
            CHANNEL_PATH, (FILES / name).read_bytes(), name=name, content_type=declared
        )
        assert answer.json()["file"]["contentType"] == declared
        assert (await deleting.end_of(answer.upload_id))["state"] == "audited", name
        assert answer.json() in await sandbox.messages()
    for name, declared in WRONG:
        answer = await deleting.upload(
            CHANNEL_PATH, (FILES / name).read_bytes(), name=name, content_type=declared
        )
        assert (await deleting.end_of(answer.upload_id))["state"] == "flagged", name
        assert answer.json() not in await sandbox.messages()


async def test_other_names_of_a_type_satisfy_require_match(strict: Client) -> None:
    for name, declared in HONEST:
        answer = await strict.upload(
            CHANNEL_PATH, (FILES / name).read_bytes(), name=name, content_type=declared
        )
        assert answer.status == 200, answer.body
        assert (await strict.end_of(answer.upload_id))["state"] == "registered"
    for name, declared in WRONG:
        answer = await strict.upload(
            CHANNEL_PATH, (FILES / name).read_bytes(), name=name, content_type=declared
        )
        assert (answer.status, answer.json()["type"][-13:]) == (422, "type-mismatch"), name


async def test_another_name_alone_deletes_no_message(deleting: Client, sandbox: Sandbox) -> None:
    kept = await deleting.upload(CHANNEL_PATH, files.PNG, name="a.png", content_type="image/png")
    message = kept.json()
    for other, is_kept in (({"name": "b.png"}, True), ({"name": "b.png", "size": 1}, False)):
        told = message | {"file": message["file"] | other}
        await sandbox.fault("POST", CHANNEL_PATH, status=200, body=told)
        answer = await deleting.upload(
            CHANNEL_PATH, files.PNG, name="a.png", content_type="image/png"
        )
        assert (await deleting.end_of(answer.upload_id))["state"] == "flagged"
        assert (message in await sandbox.messages()) == is_kept
