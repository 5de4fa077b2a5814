"""Requests as real clients sent them, byte for byte: each is read as its sidecar says."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest

from fuzz.feeding import Scanned, bytewise, dechunked, scan
from gateway.multipart import declared_boundaries, is_multipart_form

CAPTURES: Final = Path(__file__).parents[2] / "captures"
MAX_BYTEWISE: Final = 100_000


def headers_and_body(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return headers, dechunked(body) if "transfer-encoding" in headers else body


def description(content_type: str, scanned: Scanned) -> dict[str, Any]:
    """What was read, in the sidecar's form."""
    return {
        "content_type": content_type,
        "parts": [
            {
                "name": part.begin.name,
                "filename": part.begin.filename,
                "content_type": part.begin.content_type,
                "size": part.size,
                "sha256": hashlib.sha256(part.data).hexdigest(),
            }
            for part in scanned.parts
        ],
        "ambiguous": bool(scanned.ambiguities),
    }


def check(capture: Path) -> None:
    headers, body = headers_and_body(capture.read_bytes())
    content_type = headers["content-type"]
    assert is_multipart_form(content_type)
    expected = json.loads(capture.with_suffix(".json").read_text())
    declared = declared_boundaries(content_type)
    assert description(content_type, scan([body], declared)) == expected
    if len(body) <= MAX_BYTEWISE:
        assert description(content_type, scan(bytewise(body), declared)) == expected


@pytest.mark.parametrize(
    "capture", [pytest.param(path, id=path.stem) for path in sorted(CAPTURES.glob("*.http"))]
)
def test_a_captured_request_has_the_parts_that_its_sidecar_names(capture: Path) -> None:
    check(capture)


def test_no_sidecar_is_without_its_capture() -> None:
    sidecars = {path.stem for path in CAPTURES.glob("*.json")}
    assert sidecars <= {path.stem for path in CAPTURES.glob("*.http")}


def written(folder: Path, head: str, body: bytes, sidecar: dict[str, Any]) -> Path:
    capture = folder / "client-1.0-case.http"
    capture.write_bytes(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    capture.with_suffix(".json").write_text(json.dumps(sidecar))
    return capture


def test_chatkitty_platform_sdk_declares_no_boundary(tmp_path: Path) -> None:
    boundary = "--------------------------4f1c0e8bb31b2b1b9d0a4d41"
    head = "POST /v1/imports/users HTTP/1.1\nContent-Type: multipart/form-data\n"
    head += "User-Agent: axios/0.26.1\nTransfer-Encoding: chunked"
    pieces = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="import.json"\r\n',
        "Content-Type: application/json\r\n\r\n",
        '[{"name":"jane"}]',
        f"\r\n--{boundary}--\r\n",
    ]
    body = "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in [*pieces, ""]).encode()
    expected = {
        "content_type": "multipart/form-data",
        "parts": [
            {
                "name": "file",
                "filename": "import.json",
                "content_type": "application/json",
                "size": 17,
                "sha256": hashlib.sha256(b'[{"name":"jane"}]').hexdigest(),
            }
        ],
        "ambiguous": False,
    }
    check(written(tmp_path, head, body, expected))


def test_curl_appends_its_boundary_to_the_one_of_the_user(tmp_path: Path) -> None:
    boundary = "------------------------4672aa91bc03de5f"
    content_type = f"multipart/form-data; boundary=mine; boundary={boundary}"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
        f"Content-Type: image/png\r\n\r\n--mine\n\r\n--{boundary}\r\n"
        f'Content-Disposition: form-data; name="groupTag"\r\n\r\ng1\r\n--{boundary}--\r\n'
    ).encode()
    head = "POST /v1/channels/702/messages HTTP/1.1\nHost: localhost:8080\n"
    head += f"User-Agent: curl/7.88.1\nContent-Length: {len(body)}\nContent-Type: {content_type}"
    parts = [
        ("file", "a.png", "image/png", b"--mine\n"),
        ("groupTag", None, None, b"g1"),
    ]
    expected = {
        "content_type": content_type,
        "parts": [
            {
                "name": name,
                "filename": filename,
                "content_type": type_,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for name, filename, type_, data in parts
        ],
        # The file's first line begins with the other boundary.
        "ambiguous": True,
    }
    check(written(tmp_path, head, body, expected))
    innocent = body.replace(b"--mine\n", b"--mind\n")
    expected["ambiguous"] = False
    expected["parts"][0]["sha256"] = hashlib.sha256(b"--mind\n").hexdigest()  # type: ignore[index]  # JSON
    check(written(tmp_path, head, innocent, expected))
