"""Sends files by one of Python's HTTP clients: CLIENT URL FOLDER NAME..."""

# mypy: disable-error-code="import-not-found, import-untyped"

# ruff: noqa: PLC0415 - each client is imported where it is used: no two need the other

import asyncio
import sys
from pathlib import Path

CLIENT, URL, FOLDER, *NAMES = sys.argv[1:]
HEADERS = {"Authorization": "Bearer TOKEN"}
TYPE = "image/png"


def content(name: str) -> bytes:
    return (Path(FOLDER) / name).read_bytes()


def requests_(name: str) -> None:
    import requests

    files = {"file": (name, content(name), TYPE)}
    requests.post(URL, headers=HEADERS, files=files, timeout=9)


def niquests(name: str) -> None:
    import niquests as client

    client.post(URL, headers=HEADERS, files={"file": (name, content(name), TYPE)}, timeout=9)


def requests_toolbelt(name: str) -> None:
    import requests
    from requests_toolbelt import MultipartEncoder

    form = MultipartEncoder({"file": (name, content(name), TYPE)})
    headers = HEADERS | {"Content-Type": form.content_type}
    requests.post(URL, headers=headers, data=form, timeout=9)


def urllib3(name: str) -> None:
    import urllib3 as client

    fields = {"file": (name, content(name), TYPE)}
    client.PoolManager().request("POST", URL, headers=HEADERS, fields=fields)


def httpx(name: str) -> None:
    import httpx as client

    client.post(URL, headers=HEADERS, files={"file": (name, content(name), TYPE)})


async def _aiohttp(name: str, *, quote: bool) -> None:
    import aiohttp

    form = aiohttp.FormData(quote_fields=quote)
    form.add_field("file", content(name), filename=name, content_type=TYPE)
    async with aiohttp.ClientSession() as session:
        await session.post(URL, headers=HEADERS, data=form)


def aiohttp(name: str) -> None:
    asyncio.run(_aiohttp(name, quote=True))


def aiohttp_unquoted(name: str) -> None:
    asyncio.run(_aiohttp(name, quote=False))


def pycurl(name: str) -> None:
    import pycurl as client

    curl = client.Curl()
    curl.setopt(curl.URL, URL)
    curl.setopt(curl.HTTPHEADER, ["Authorization: Bearer TOKEN"])
    path = str(Path(FOLDER) / name)
    form = (curl.FORM_FILE, path, curl.FORM_FILENAME, name, curl.FORM_CONTENTTYPE, TYPE)
    curl.setopt(curl.HTTPPOST, [("file", form)])
    curl.setopt(curl.WRITEFUNCTION, lambda _: None)
    curl.perform()


def curl_cffi(name: str) -> None:
    from curl_cffi import CurlMime
    from curl_cffi import requests as client

    form = CurlMime()
    form.addpart(name="file", content_type=TYPE, filename=name, data=content(name))
    client.post(URL, headers=HEADERS, multipart=form)


def primp(name: str) -> None:
    import primp as client

    client.Client().post(URL, headers=HEADERS, files={"file": str(Path(FOLDER) / name)})


def treq(name: str) -> None:
    import io

    import treq as client
    from twisted.internet.defer import ensureDeferred
    from twisted.internet.task import react

    async def main(_: object) -> None:
        files = {"file": (name, TYPE, io.BytesIO(content(name)))}
        await client.post(URL, headers=HEADERS, files=files)

    react(lambda reactor: ensureDeferred(main(reactor)))


def werkzeug(name: str) -> None:
    import io

    from werkzeug.test import EnvironBuilder

    made = EnvironBuilder(method="POST", data={"file": (io.BytesIO(content(name)), name, TYPE)})
    environ = made.get_environ()
    _post(environ["wsgi.input"].read(), environ["CONTENT_TYPE"])


def django(name: str) -> None:
    from django.conf import settings
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

    if not settings.configured:
        settings.configure()
    _post(
        encode_multipart(BOUNDARY, {"file": SimpleUploadedFile(name, content(name), TYPE)}),
        MULTIPART_CONTENT,
    )


def _post(body: bytes, content_type: str) -> None:
    import urllib.request

    headers = HEADERS | {"Content-Type": content_type}
    urllib.request.urlopen(urllib.request.Request(URL, body, headers)).read()


CLIENTS = {
    "requests": requests_,
    "niquests": niquests,
    "requests-toolbelt": requests_toolbelt,
    "urllib3": urllib3,
    "httpx": httpx,
    "aiohttp": aiohttp,
    "aiohttp-unquoted": aiohttp_unquoted,
    "pycurl": pycurl,
    "curl_cffi": curl_cffi,
    "primp": primp,
    "treq": treq,
    "werkzeug": werkzeug,
    "django": django,
}

for each in NAMES:
    CLIENTS[CLIENT](each)
