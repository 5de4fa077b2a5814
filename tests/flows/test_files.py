"""How hosted files are served: nothing in them can act under the gateway's name."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from gateway.backends import open_store
from gateway.crypto import KeyRing
from gateway.settings import load
from gateway.uploads import keys
from gateway.uploads.links import FileLink, file_token
from tests.flows import files
from tests.flows.client import Answer, Client
from tests.programs import need
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, TOKENS
from tests.servers.zygote import ForkedPart

PATH = f"/v1/channels/{CHANNEL}/messages"
BOM16 = "\ufeff<html><script>alert(1)</script>".encode("utf-16-le")
ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">'
    b'<!ENTITY lol9 "&x;&x;&x;">]><svg>&x;&lol9;</svg>'
)

ACTIVE = {
    "SVG with a script": (files.SVG, "image/svg+xml"),
    "SVG that loads": (b'<svg onload="alert(1)"/>', "image/svg+xml"),
    "SVG with entities": (ENTITIES, "image/svg+xml"),
    "HTML": (b"<html><script>alert(1)</script></html>", "text/html"),
    "HTML behind a mark": (b"\xef\xbb\xbf<script>alert(1)</script>", "text/html"),
    "HTML in UTF-16": (BOM16, "text/html"),
    "HTML behind blanks": (b" \r\n\t" * 512 + b"<body onload=alert(1)>", "text/html"),
    "HTML behind a comment": (b"<!--" + b"x" * 3000 + b"--><a href=javascript:0>", "text/html"),
}


def assert_guarded(answer: Answer) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(("data", "content_type"), ACTIVE.values(), ids=ACTIVE)
async def test_types_that_a_browser_would_run_are_saved_and_confined(
    external: Client, data: bytes, content_type: str
) -> None:
    answer = await external.upload(PATH, data, name="a.png", content_type="image/png")
    assert answer.status == 200, answer.body
    file = answer.json()["file"]
    assert file["contentType"] == content_type
    served = await external.request("GET", file["url"], allow_redirects=False)
    assert (served.status, served.body) == (200, data)
    assert served.headers["Content-Type"] == content_type
    assert served.headers["Content-Disposition"].startswith("attachment")
    assert served.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert_guarded(served)


async def test_types_that_are_not_known_to_be_harmless_are_downloaded(external: Client) -> None:
    answer = await external.upload(PATH, files.DOCX, name="a.docx")
    redirect = await external.request("GET", answer.json()["file"]["url"], allow_redirects=False)
    assert redirect.status == 302
    assert_guarded(redirect)
    served = await external.request("GET", redirect.headers["Location"], headers={})
    assert served.headers["Content-Disposition"].startswith("attachment")
    assert "Set-Cookie" not in served.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_missing_file_is_reported_as_missing(
    external: Client, environ: dict[str, str], method: str
) -> None:
    answer = await external.upload(PATH, files.SVG, name="a.svg")
    resource = await external.resource(answer.upload_id)
    assert (resource["state"], "fileMissing" in resource) == ("registered", False)
    async with open_store(load(environ)) as store:
        await store.delete(keys.incoming(answer.upload_id))
    resource = await external.resource(answer.upload_id)
    assert (resource["state"], resource["fileMissing"]) == ("registered", True)
    served = await external.request(method, answer.json()["file"]["url"], allow_redirects=False)
    assert served.status == 404
    assert served.headers["Content-Type"].startswith("application/problem+json")


async def test_links_expire_when_they_say(
    start_gateway: StartGateway, worker: ForkedPart, environ: dict[str, str]
) -> None:
    assert worker.exit_status is None
    gateway = start_gateway(delivery="external", file_link_seconds="3600", serve_files="stream")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        answer = await client.upload(PATH, files.PNG, name="a.png")
        url = answer.json()["file"]["url"]
        served = await client.request("GET", url)
        assert (served.status, served.body) == (200, files.PNG)
        age = int(served.headers["Cache-Control"].split("max-age=")[1].split(",")[0])
        assert age <= 3600
        base, token, name = url.rsplit("/", 2)
        ring = KeyRing([environ["GATEWAY_SECRET_KEY"]])
        now = int(time.time())
        kept = file_token(FileLink(answer.upload_id), ring)
        assert (await client.request("GET", f"{base}/{kept}/{name}")).status == 200
        over = file_token(FileLink(answer.upload_id, now - 1), ring)
        bodies = set()
        for other in (over, token.swapcase(), token[:-2], kept[:-1], "x" * 43):
            refused = await client.request("GET", f"{base}/{other}/{name}")
            assert refused.status == 404
            told = json.loads(refused.body)
            bodies.add((told["type"], told["detail"]))
        assert len(bodies) == 1


async def test_files_can_have_a_host_of_their_own(
    start_gateway: StartGateway, worker: ForkedPart
) -> None:
    assert worker.exit_status is None
    gateway = start_gateway(
        delivery="external", files_url="http://files.example", serve_files="stream"
    )
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        answer = await client.upload(PATH, files.PNG, name="a.png")
        url = answer.json()["file"]["url"]
        assert url.startswith("http://files.example/gateway/files/")
        path = url.removeprefix("http://files.example")
        there = {"Host": "files.example"}
        served = await client.request("GET", path, headers=there)
        assert (served.status, served.body) == (200, files.PNG)
        elsewhere = await client.request("GET", path + "?grant=x", allow_redirects=False)
        assert (elsewhere.status, elsewhere.headers["Location"]) == (308, url + "?grant=x")
        for method, other in (("GET", "/gateway/uploads"), ("GET", "/v1/users"), ("POST", PATH)):
            refused = await client.request(method, other, headers=there)
            assert refused.status == 404
        refused = await client.upload(PATH, files.PNG, name="a.png", headers=there)
        assert refused.status == 404


async def test_a_reader_continues_only_with_the_same_content(external: Client) -> None:
    data = files.SVG  # which is always streamed
    answer = await external.upload(PATH, data, name="a.svg", content_type="image/svg+xml")
    url = answer.json()["file"]["url"]

    async def ask(method: str = "GET", **fields: str) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return await external.request(method, url, headers=headers, allow_redirects=False)

    whole = await ask()
    etag, modified = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert etag.startswith('"')
    for same in (etag, modified):
        part = await ask(Range="BYTES=3-7", If_Range=same)
        assert (part.status, part.body) == (206, data[3:8])
        assert part.headers["ETag"] == etag
    for other in ('"x"', f"W/{etag}", "Sat, 01 Jan 2000 00:00:00 GMT", "bogus"):
        again = await ask(Range="bytes=3-7", If_Range=other)
        assert (again.status, again.body) == (200, data)
        assert "Content-Range" not in again.headers
    for known in (etag, f'"x", W/{etag}', "*"):
        kept = await ask(If_None_Match=known)
        assert (kept.status, kept.body) == (304, b"")
        assert kept.headers["ETag"] == etag
    assert (await ask(If_None_Match='"x"')).status == 200
    beyond = await ask(Range="bytes=9999999-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    assert json.loads(beyond.body)["type"].endswith(":range-not-satisfiable")
    past = "Sat, 01 Jan 2000 00:00:00 GMT"
    for condition in ({"If_Match": '"x"'}, {"If_Unmodified_Since": past}):
        failed = await ask(If_None_Match=etag, **condition)
        assert failed.status == 412
        assert json.loads(failed.body)["type"].endswith(":condition-failed")
    for method in ("GET", "HEAD"):
        assert (await ask(method, If_Match=etag, If_Modified_Since=modified)).status == 304
    head = await ask("HEAD", Range="bytes=3-7")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
    assert_guarded(kept)


async def test_the_store_sends_the_validators_if_readers_are_redirected(
    external: Client,
) -> None:
    answer = await external.upload(PATH, files.PNG, name="a.png")
    url = answer.json()["file"]["url"]
    conditions = {"If-Match": '"x"', "If-None-Match": "*", "Range": "bytes=9999-"}
    sent = await external.request("GET", url, headers=conditions, allow_redirects=False)
    assert sent.status == 302  # RFC 9110 section 13.2.1
    looked = await external.request("HEAD", url, headers=conditions)
    assert (looked.status, looked.headers["Content-Length"]) == (200, str(len(files.PNG)))
    assert not {"ETag", "Last-Modified"} & set(looked.headers)
    read = await external.request("GET", url)
    etag = read.headers["ETag"]
    part = await external.request("GET", url, headers={"Range": "bytes=1-3", "If-Range": etag})
    assert (part.status, part.body) == (206, files.PNG[1:4])


RESUMING = {
    "curl": ("curl", "-sSLO", "-C", "-"),
    "wget": ("wget", "-q", "-c"),
}


@pytest.mark.parametrize("client", RESUMING)
async def test_a_download_that_was_cut_can_be_continued(
    external: Client, client: str, tmp_path: Path
) -> None:
    """Of a file that is streamed, and of one that the store serves."""
    need(client, packages=client)
    for data, name in ((files.SVG, "a.svg"), (files.PNG, "a.png")):
        answer = await external.upload(PATH, data, name=name)
        url = str(answer.json()["file"]["url"])
        file = tmp_path / name
        file.write_bytes(data[:20])
        path = {"PATH": os.environ["PATH"]}
        process = await asyncio.create_subprocess_exec(
            *RESUMING[client], url, cwd=tmp_path, env=path
        )
        assert await process.wait() == 0
        assert file.read_bytes() == data
