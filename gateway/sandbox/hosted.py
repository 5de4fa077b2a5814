"""Files: those that the sandbox hosts, and references to those that others host."""

from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from gateway.sandbox.call import Call
from gateway.sandbox.failures import client_error, not_found
from gateway.sandbox.forms import ReceivedFile
from gateway.sandbox.state import Document, Table

_MEMBERS: Final = {"url": str, "name": str, "contentType": str, "size": int}


def keep(call: Call, file: ReceivedFile) -> Document:
    """Host a received file; returns its `FileProperties`. What its client said is believed."""
    kept = call.state.insert(
        Table.FILES,
        {"path": file.path.name, "contentType": file.content_type, "size": file.size},
    )
    return {
        "type": "HOSTED",
        "url": f"{call.base}/files/{kept['id']}/{_path_element(file.name)}",
        "name": file.name,
        "contentType": file.content_type,
        "size": file.size,
    }


def _path_element(name: str) -> str:
    return "file" if name in {"", ".", ".."} else quote(name, safe="")


def external(value: Any) -> Document:  # noqa: ANN401 - any JSON
    """The reference to an external file. Raises Failure if it lacks a member.

    Source: OpenAPI 2.41.9, `CreateExternalFileProperties`: all four are required.
    """
    if not isinstance(value, dict):
        raise client_error("file is not an object")
    for name, kind in _MEMBERS.items():
        if not isinstance(value.get(name), kind) or isinstance(value.get(name), bool):
            raise client_error(f"file.{name} is missing, or no {kind.__name__}")
    return {name: value[name] for name in _MEMBERS}


async def serve(call: Call) -> web.StreamResponse:
    """`GET /files/{id}/{name}`, with ranges, and with or without `?grant=`."""
    file = call.find(Table.FILES)
    path = call.state.files_dir / file["path"]
    if not path.exists():
        raise not_found()
    return web.FileResponse(path, headers={"Content-Type": file["contentType"]})
