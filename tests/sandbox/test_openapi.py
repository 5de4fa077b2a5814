"""The sandbox answers as ChatKitty's own specification says."""

import json
from typing import Any

import pytest

from tests.flows import files
from tests.flows.client import Answer, Client
from tests.sandbox.spec import document, faults
from tests.servers.sandbox import CHANNEL, THREAD, Sandbox

EXTERNAL = {"url": "https://e.com/a.png", "name": "a.png", "contentType": "image/png", "size": 5}
USER = {"name": "u@e.com", "displayName": "U", "isGuest": False}
PATCH = {"Content-Type": "application/json+merge-patch"}

JSON_OPERATIONS: list[tuple[str, str, dict[str, int], Any, int]] = [
    ("GET", "/v1/application", {}, None, 200),
    ("POST", "/v1/users", {}, USER, 200),
    ("GET", "/v1/users", {}, None, 200),
    ("GET", "/v1/users/{id}", {"id": 1}, None, 200),
    ("PATCH", "/v1/users/{id}", {"id": 1}, {"displayName": "J"}, 200),
    ("GET", "/v1/users/{id}/channels", {"id": 1}, None, 200),
    ("GET", "/v1/users/{id}/messages", {"id": 1}, None, 200),
    ("POST", "/v1/users/{id}/display-picture", {"id": 1}, EXTERNAL, 200),
    ("POST", "/v1/channels", {}, {"type": "PRIVATE", "name": "p", "displayName": "P"}, 200),
    ("POST", "/v1/channels", {}, {"type": "DIRECT", "members": [{"id": 1}, {"id": 2}]}, 200),
    ("GET", "/v1/channels", {}, None, 200),
    ("GET", "/v1/channels/{id}", {"id": CHANNEL}, None, 200),
    ("PATCH", "/v1/channels/{id}", {"id": CHANNEL}, {"displayName": "G"}, 200),
    ("GET", "/v1/channels/{id}/members", {"id": CHANNEL}, None, 200),
    ("POST", "/v1/channels/{id}/members", {"id": CHANNEL}, {"username": "john@chatkitty.com"}, 200),
    ("POST", "/v1/channels/{id}/messages", {"id": CHANNEL}, {"type": "TEXT", "body": "b"}, 200),
    (
        "POST",
        "/v1/channels/{id}/messages",
        {"id": CHANNEL},
        {"type": "TEXT", "body": "b", "user": {"id": 1}, "groupTag": "g", "properties": {"a": 1}},
        200,
    ),
    (
        "POST",
        "/v1/channels/{id}/messages",
        {"id": CHANNEL},
        {"type": "FILE", "file": EXTERNAL},
        200,
    ),
    (
        "POST",
        "/v1/channels/{id}/messages",
        {"id": CHANNEL},
        {"type": "FILE", "file": EXTERNAL, "user": {"username": "jane@chatkitty.com"}},
        200,
    ),
    ("GET", "/v1/channels/{id}/messages", {"id": CHANNEL}, None, 200),
    ("GET", "/v1/threads/{id}", {"id": THREAD}, None, 200),
    ("POST", "/v1/threads/{id}/messages", {"id": THREAD}, {"type": "FILE", "file": EXTERNAL}, 200),
    ("GET", "/v1/threads/{id}/messages", {"id": THREAD}, None, 200),
    ("GET", "/v1/messages", {}, None, 200),
    ("GET", "/v1/messages/{id}", {"id": 1}, None, 200),
    ("PATCH", "/v1/messages/{id}", {"id": 1}, {"body": "changed"}, 200),
    ("DELETE", "/v1/messages/{id}", {"id": 1}, None, 200),
    ("DELETE", "/v1/channels/{id}/members/{user_id}", {"id": CHANNEL, "user_id": 2}, None, 200),
    ("GET", "/v1/jobs", {}, None, 200),
    ("GET", "/v1/messages/{id}", {"id": 999}, None, 404),
    ("GET", "/v1/channels/{id}", {"id": 999}, None, 404),
    ("POST", "/v1/channels/{id}/messages", {"id": CHANNEL}, {"type": "ODD"}, 400),
    ("POST", "/v1/channels/{id}/messages", {"id": CHANNEL}, {"type": "FILE", "file": {}}, 400),
    ("POST", "/v1/users", {}, {"name": "x"}, 400),
    ("POST", "/v1/users/{id}/display-picture", {"id": 1}, {"url": "x"}, 400),
]

IMPORTS: list[tuple[str, dict[str, int], Any]] = [
    ("/v1/imports/users", {}, [{"name": "i", "displayName": "I", "guest": True, "properties": {}}]),
    ("/v1/imports/channels", {}, [{"type": "PUBLIC", "members": ["jane@chatkitty.com"]}]),
    ("/v1/imports/channels/{id}/members", {"id": CHANNEL}, [{"username": "john@chatkitty.com"}]),
    (
        "/v1/imports/messages",
        {},
        [{"type": "SYSTEM_TEXT", "channelId": CHANNEL, "body": "b", "idempotencyKey": "k"}],
    ),
]


def assert_conforms(method: str, template: str, answer: Answer, status: int) -> Any:
    assert answer.status == status, answer.body
    found = answer.json()
    assert faults(method, template, status, found) == []
    return found


async def test_every_json_operation_answers_with_its_schema(client: Client) -> None:
    for method, template, numbers, body, status in JSON_OPERATIONS:
        headers = PATCH if method == "PATCH" else {"Content-Type": "application/json"}
        options = {} if body is None else {"data": json.dumps(body), "headers": headers}
        answer = await client.request(method, template.format(**numbers), **options)
        assert_conforms(method, template, answer, status)


@pytest.mark.parametrize("template", ["/v1/channels/{id}/messages", "/v1/threads/{id}/messages"])
async def test_an_uploaded_file_is_a_hosted_message(client: Client, template: str) -> None:
    path = template.format(id=CHANNEL if "channels" in template else THREAD)
    fields = {"groupTag": "g", "properties": '{"a": 1}'}
    answer = await client.upload(path, files.PNG, content_type="image/png", fields=fields)
    message = assert_conforms("POST", template, answer, 200)
    assert (message["file"]["type"], message["groupTag"]) == ("HOSTED", "g")
    assert message["properties"] == {"a": 1}


async def test_an_uploaded_picture_is_the_users(client: Client) -> None:
    template = "/v1/users/{id}/display-picture"
    answer = await client.upload("/v1/users/1/display-picture", files.PNG)
    user = assert_conforms("POST", template, answer, 200)
    assert (await client.request("GET", user["displayPictureUrl"])).body == files.PNG


@pytest.mark.parametrize(("template", "numbers", "items"), IMPORTS)
async def test_an_import_is_a_job(
    client: Client, template: str, numbers: dict[str, int], items: Any
) -> None:
    path = template.format(**numbers)
    answer = await client.upload(path, json.dumps(items).encode(), name="i.json")
    job = assert_conforms("POST", template, answer, 202)
    finished = await client.request("GET", f"/v1/jobs/{job['id']}")
    assert assert_conforms("GET", "/v1/jobs/{id}", finished, 200)["state"] == "FINISHED"


async def test_an_import_item_is_recognised_by_its_idempotency_key(
    client: Client, sandbox: Sandbox
) -> None:
    item = {"type": "SYSTEM_TEXT", "channelId": CHANNEL, "body": "once", "idempotencyKey": "one"}
    for _ in range(2):
        await client.upload("/v1/imports/messages", json.dumps([item]).encode())
    bodies = [message.get("body") for message in await sandbox.messages()]
    assert bodies.count("once") == 1


async def test_unknown_or_forbidden_callers_get_the_documented_answers(
    client: Client, sandbox: Sandbox
) -> None:
    path = f"/v1/channels/{CHANNEL}/messages"
    nobody = await client.request("GET", path, headers={"Authorization": ""})
    assert faults("GET", "/v1/channels/{id}/messages", 401, nobody.json()) == []
    narrow = await client.session.post(
        f"{sandbox.url}/oauth/token",
        data={"grant_type": "client_credentials", "scope": "read:channel"},
        headers={"Authorization": "Basic YTpi"},
    )
    token = (await narrow.json())["access_token"]
    denied = await client.as_another(token).request("GET", path)
    assert denied.status == 403
    assert faults("GET", "/v1/channels/{id}/messages", 403, denied.json()) == []


def test_the_document_judges() -> None:
    """A judge that finds nothing wrong with anything would be no judge."""
    assert faults("GET", "/v1/application", 200, {"id": "one"})
    assert len(document()["paths"]) == 47
