"""The gateway answers as its document says: every operation, with the document's own examples."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from openapi_schema_validator import OAS31Validator

from tests.flows import files
from tests.flows.client import Answer, Client
from tests.openapi.operators import TAG
from tests.openapi.test_document import FILE, operations
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, TOKENS
from tests.servers.zygote import ForkedPart

pytestmark = pytest.mark.slow

UNKNOWN: Final = "019a4c5e-3b1a-7c63-9f5e-8d2f4b6a7c10"
TUS: Final = "application/offset+octet-stream"
PART: Final = "application/partial-upload"


def at(place: str) -> str:
    """The path of a URL."""
    return "/" + place.partition("://")[2].partition("/")[2] if "://" in place else place


@dataclass
class Documented:
    """Sends what the document describes, and compares the answers with it."""

    client: Client
    admin: str
    document: Any
    called: set[str] = field(default_factory=set)

    async def call(
        self,
        name: str,
        expected: int,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        /,
        *,
        at_admin: bool = False,
        query: str = "",
        **places: object,
    ) -> Answer:
        """The answer to an operation; its required parameters have their examples as values."""
        path, method, operation, sent = self._request_of(name, places)
        base = self.admin if at_admin else ""
        answer = await self.client.request(
            method,
            base + path + query,
            headers={**sent, **(headers or {})},
            data=data,
            allow_redirects=False,
        )
        assert answer.status == expected, (name, answer)
        self._check(name, method, operation, answer)
        self.called.add(name)
        return answer

    async def open(self, name: str, expected: int) -> None:
        """Open an answer that does not end by itself, and check its head."""
        path, method, operation, sent = self._request_of(name, {})
        headers = {"Authorization": f"Bearer {self.client.token}", **sent}
        url = self.client.url + path
        async with self.client.session.request(method, url, headers=headers) as response:
            assert response.status == expected, (name, response)
            self._check(name, method, operation, Answer(response.status, response.headers, b""))
            kind = response.headers["Content-Type"].partition(";")[0]
            assert kind in operation["responses"][str(expected)]["content"]
        self.called.add(name)

    def _request_of(
        self, name: str, places: Mapping[str, object]
    ) -> tuple[str, str, Any, dict[str, str]]:
        """The path, method, description and required headers of an operation."""
        path, method, operation = next(
            each for each in operations(self.document) if each[2]["operationId"] == name
        )
        shared = self.document["paths"][path].get("parameters", [])
        sent = {}
        for parameter in map(self._resolved, [*shared, *operation.get("parameters", [])]):
            if parameter["in"] == "path":
                value = places.get(parameter["name"], parameter.get("example"))
                path = path.replace(f"{{{parameter['name']}}}", str(value))
            elif parameter["required"]:
                sent[parameter["name"]] = str(parameter["example"])
        return path, method, operation, sent

    def _check(self, name: str, method: str, operation: Any, answer: Answer) -> None:
        response = self._resolved(operation["responses"][str(answer.status)])
        missing = self._headers & {*map(str.lower, answer.headers)}
        missing -= {*map(str.lower, response.get("headers", {}))}
        assert not missing, (name, answer.status, missing)
        for header, described in response.get("headers", {}).items():
            if header in answer.headers:
                self._validate(self._resolved(described)["schema"], answer.headers[header])
        if method == "HEAD" or not answer.body:
            return
        kind = answer.headers["Content-Type"].partition(";")[0]
        content = response["content"]
        schema = content.get(kind, content.get("*/*"))
        assert schema is not None, (name, kind)
        if kind.endswith("json"):
            self._validate(schema["schema"], answer.json())

    @property
    def _headers(self) -> set[str]:
        """The headers that the document knows."""
        return {name.lower() for name in self.document["components"]["headers"]}

    def _validate(self, schema: Any, value: Any) -> None:
        whole = {**schema, "components": self.document["components"]}
        OAS31Validator(whole).validate(value)

    def _resolved(self, node: Any) -> Any:
        if "$ref" not in node:
            return node
        found = self.document
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found


@pytest.fixture
async def documented(start_gateway: StartGateway, worker: ForkedPart) -> AsyncIterator[Documented]:
    assert worker.exit_status is None
    gateway = start_gateway(
        delivery="external",
        delete_files="true",
        serve_files="stream",
        hash="crc32c",
        try_page="true",
    )
    await gateway.until_ready()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        described = await client.request("GET", "/gateway/openapi.json", headers={})
        assert described.json() == json.loads(FILE.read_text())
        yield Documented(client, gateway.admin_url, described.json())


async def test_every_operation_is_answered_as_described(documented: Documented) -> None:
    await _processes(documented)
    await _whole_files(documented)
    await _by_the_draft(documented)
    await _by_tus(documented)
    await _refused(documented)
    names = {
        operation["operationId"]
        for _, _, operation in operations(documented.document)
        if TAG not in operation["tags"]  # see test_operators.py
    }
    assert names == documented.called


async def _processes(documented: Documented) -> None:
    for name in ("getDescription", "getHealth", "getReadiness"):
        await documented.call(name, 200)
        await documented.call(f"{name}Head", 200)
    for name, query in (("getTryPage", ""), ("getTriedRoute", "?path=/v1/imports/users")):
        await documented.call(name, 200, query=query)
        await documented.call(f"{name}Head", 200, query=query)
    await documented.call("getTriedRoute", 404, query="?path=/gateway/try")
    for name in ("getHealth", "getReadiness", "getMetrics"):
        await documented.call(name, 200, at_admin=True)
        await documented.call(f"{name}Head", 200, at_admin=True)


async def _whole_files(documented: Documented) -> None:
    call, image = documented.call, {"Content-Type": "image/png"}
    sent = await call("sendChannelMessage", 200, image, files.PNG, query="?groupTag=cats")
    await call("putChannelMessage", 202, image | {"Prefer": "respond-async"}, files.PNG)
    for method in ("send", "put"):
        await call(f"{method}ThreadMessage", 202, image | {"Prefer": "respond-async"}, files.PNG)
        await call(f"{method}DisplayPicture", 202, image | {"Prefer": "respond-async"}, files.PNG)
    upload = await call("getUpload", 200, id=sent.upload_id)
    *_, token, name = upload.json()["url"].split("/")
    place = {"token": token, "name": name}
    await call("getFile", 200, **place)
    await call("getFile", 206, {"Range": "bytes=0-3"}, **place)
    await call("getFile", 416, {"Range": "bytes=100000-"}, **place)
    known = await call("getFileHead", 200, **place)
    await call("getFile", 304, {"If-None-Match": known.headers["ETag"]}, **place)
    await call("listUploads", 200, query="?size=1")
    await call("listUploads", 200, query="?state=registered")
    await call("listUploadsHead", 200)
    known = await call("streamUpload", 200, id=sent.upload_id)
    last = next(line for line in known.body.splitlines() if line.startswith(b"id: "))
    seen = {"Last-Event-ID": last.removeprefix(b"id: ").decode()}
    assert (await call("streamUpload", 204, seen, id=sent.upload_id)).body == b""
    await documented.open("streamUploads", 200)
    removed = await call("deleteUpload", 202, id=sent.upload_id)
    assert removed.json()["id"] == sent.upload_id


async def _by_the_draft(documented: Documented) -> None:
    call, image = documented.call, {"Content-Type": "image/png"}
    for kind in ("ChannelMessage", "ThreadMessage", "DisplayPicture"):
        await call(f"getLimitsOf{kind}", 204)
    begun = await call("sendChannelMessage", 201, image | {"Upload-Complete": "?0"}, files.PNG[:9])
    await call("headUpload", 204, id=begun.upload_id)
    shown = await call("getUpload", 200, id=begun.upload_id)
    assert shown.json()["offset"] == 9
    part = {"Content-Type": PART, "Upload-Offset": "9", "Upload-Complete": "?0"}
    await call("continueUpload", 204, part, files.PNG[9:19], id=begun.upload_id)
    await call("continueUpload", 409, part, files.PNG[9:19], id=begun.upload_id)
    rest = {"Content-Type": PART, "Upload-Offset": "19", "Upload-Complete": "?1"}
    await call("continueUpload", 200, rest, files.PNG[19:], id=begun.upload_id)
    old = image | {"Upload-Draft-Interop-Version": "5", "Upload-Complete": "?0"}
    begun = await call("sendChannelMessage", 201, old, files.PNG[:9])
    part = {"Upload-Draft-Interop-Version": "5", "Upload-Offset": "9", "Upload-Complete": "?0"}
    await call("continueUpload", 201, part, files.PNG[9:19], id=begun.upload_id)
    await call("deleteUpload", 204, id=begun.upload_id)
    await call("headUpload", 410, id=begun.upload_id)


async def _by_tus(documented: Documented) -> None:
    call, size = documented.call, {"Upload-Length": str(len(files.PNG))}
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": TUS}
    for kind in ("ChannelMessage", "ThreadMessage", "DisplayPicture"):
        await call(f"getTusLimitsOf{kind}", 204)
        begun = await call(f"createTus{kind}", 201, size)
        await call("headUpload", 200, tus, id=begun.upload_id)
        await call("deleteUpload", 204, tus, id=begun.upload_id)
    begun = await call("createTusChannelMessage", 201, size)
    await call("continueUpload", 204, tus | {"Upload-Offset": "0"}, files.PNG, id=begun.upload_id)
    begun = await call("createTusChannelMessage", 201, size)
    whole = {"Content-Type": TUS, "Upload-Offset": "0"}
    await call("overrideUpload", 204, whole, files.PNG, id=begun.upload_id)
    made = await call("createTusChannelMessage", 201, size | {"Content-Type": TUS}, files.PNG)
    assert made.headers["Upload-Offset"] == size["Upload-Length"]
    begun = await call("createTusChannelMessage", 201, size | {"Prefer": "wait=25"})
    answered = await call(
        "continueUpload", 200, tus | whole | {"Prefer": "wait=25"}, files.PNG, id=begun.upload_id
    )
    assert answered.json()["id"]


async def _refused(documented: Documented) -> None:
    call = documented.call
    await call("getUpload", 404, id=UNKNOWN)
    await call("getUpload", 412, {"Tus-Resumable": "0.2.2"}, id=UNKNOWN)
    await call("deleteUpload", 404, id=UNKNOWN)
    await call("streamUpload", 404, id=UNKNOWN)
    await call("streamUploads", 401, {"Authorization": "Bearer stranger"})
    await call("listUploads", 400, query="?state=none")
    await call("listUploads", 401, {"Authorization": "Bearer stranger"})
    await call("getFile", 404)
    await call("getFileHead", 404)
    await call("sendChannelMessage", 400, {"Content-Type": "image/png"}, b"")
    await call("sendChannelMessage", 422, {"Content-Type": "image/png"}, b"x", channel="x")
    await call("createTusChannelMessage", 412, {"Tus-Resumable": "2.0.0"})
    await call("createTusChannelMessage", 400)
    await call("continueUpload", 415, {"Upload-Offset": "0"}, b"x", id=UNKNOWN)
    assert CHANNEL == 702  # of the document's examples
