import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.server.fields.cors import (
    PREFLIGHT,
    Cors,
    cors_of,
    is_preflight,
    without_cors,
    without_raw_cors,
)

APP = "https://app.example.com"
LOCAL = "capacitor://localhost"
OTHER = "https://other.example.com"
ALWAYS_EXPOSED = {
    "cache-control", "content-language", "content-length", "content-type", "expires",
    "last-modified", "pragma",
}  # fmt: skip
"""Fetch standard, "CORS-safelisted response-header name"."""


def allowed(cors: Cors | None, origin: str | None) -> str | None:
    assert cors is not None
    return dict(cors.fields(origin)).get("Access-Control-Allow-Origin")


def test_without_origins_nothing_is_said() -> None:
    assert cors_of([]) is None


@pytest.mark.parametrize("origin", [APP, LOCAL])
def test_a_listed_origin_is_named_alone(origin: str) -> None:
    cors = cors_of([APP, LOCAL])
    assert cors is not None
    assert allowed(cors, origin) == origin
    assert cors.allows(origin)
    said = dict(cors.fields(origin))
    assert said["Vary"] == "Origin"
    assert said["Access-Control-Allow-Credentials"] == "true"
    assert "Upload-Offset" in said["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", [OTHER, "null", None, APP.upper(), f"{APP}/", f"{APP}:444", ""])
def test_any_other_origin_learns_only_that_answers_vary(origin: str | None) -> None:
    cors = cors_of([APP, LOCAL])
    assert cors is not None
    assert list(cors.fields(origin)) == [("Vary", "Origin")]
    assert origin is None or not cors.allows(origin)


@pytest.mark.parametrize("origin", [APP, "null", None])
def test_all_origins_get_a_star_without_credentials(origin: str | None) -> None:
    cors = cors_of(["*"])
    assert cors is not None
    assert allowed(cors, origin) == "*"
    assert {name for name, _ in cors.fields(origin)} == {
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
    }


def test_bytes_are_the_same_headers() -> None:
    cors = cors_of([APP])
    assert cors is not None
    said = [(name.encode(), value.encode()) for name, value in cors.fields(APP)]
    assert list(cors.lines(APP)) == said


@pytest.mark.parametrize(
    ("origins", "head", "expected"),
    [
        ([APP, LOCAL], f"GET /\r\noRiGiN: \t{LOCAL} \r\nX", LOCAL),
        ([APP, LOCAL], f"GET /\nOrigin:{APP}", APP),
        ([APP, LOCAL], f"GET /\r\nX-Origin: {APP}\r\n\r\n", None),
        ([APP, LOCAL], f"GET /\r\nOrigin: {APP} {LOCAL}\r\n", None),
        ([APP, LOCAL], "", None),
        ([APP], "", APP),
        ([APP], f"GET /\r\nOrigin: {OTHER}\r\n", None),
        (["*"], "", "*"),
        (["*"], "GET /\r\nOrigin: \xff\r\n", "*"),
    ],
)
def test_an_unread_head_is_searched_for_its_origin(
    origins: list[str], head: str, expected: str | None
) -> None:
    cors = cors_of(origins)
    assert cors is not None
    said = dict(cors.fields_of_unread(head.encode("latin-1")))
    assert said.get("Access-Control-Allow-Origin") == expected


def parts_of(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON document."""
    if isinstance(document, dict):
        yield document
    for each in document.values() if isinstance(document, dict) else document:
        if isinstance(each, dict | list):
            yield from parts_of(each)


def described() -> list[dict[str, Any]]:
    """Every object of the gateway's own description."""
    return list(parts_of(json.loads(files("gateway").joinpath("openapi.json").read_bytes())))


def names_in(said: str) -> set[str]:
    names = said.lower().split(", ")
    assert len(set(names)) == len(names)
    return set(names)


def test_a_page_reads_every_header_that_an_answer_is_described_with() -> None:
    cors = cors_of([APP])
    assert cors is not None
    exposed = names_in(dict(cors.fields(APP))["Access-Control-Expose-Headers"])
    answered = {name.lower() for part in described() for name in part.get("headers", ())}
    assert {"location", "ratelimit", "retry-after", "upload-offset"} < answered
    assert answered - ALWAYS_EXPOSED <= exposed
    # ChatKitty's answers pass through, with headers of their own.
    assert {"content-digest", "link", "x-api-version", "x-response-token"} < exposed


def test_a_page_sends_every_header_that_a_request_is_described_with() -> None:
    accepted = names_in(dict(PREFLIGHT)["Access-Control-Allow-Headers"])
    named = {part["name"].lower() for part in described() if part.get("in") == "header"}
    sent = {name for name in named if not name.startswith("sec-")}  # those are the browser's own
    assert {"idempotency-key", "tus-resumable"} < sent
    assert sent | {"authorization", "content-type", "grant"} <= accepted


ASKED = {"Origin": APP, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("OPTIONS", ASKED, True),
        ("GET", ASKED, False),
        ("OPTIONS", {"Origin": APP}, False),
        ("OPTIONS", {"Access-Control-Request-Method": "POST"}, False),
        ("OPTIONS", {**ASKED, "Authorization": "Bearer t"}, False),
        ("OPTIONS", {**ASKED, "Content-Type": "text/plain"}, False),
    ],
)
def test_preflights_are_recognised(method: str, headers: dict[str, str], expected: bool) -> None:
    assert is_preflight(method, CIMultiDictProxy(CIMultiDict(headers))) is expected


def test_what_the_upstream_says_about_origins_is_left_out() -> None:
    lines = [
        ("ACCESS-control-Allow-Origin", "*"),
        ("Vary", "Origin"),
        ("Access-Control-Max-Age", "1"),
        ("X-Access-Control-Allow-Origin", "*"),
    ]
    kept = [lines[1], lines[3]]
    assert list(without_cors(CIMultiDict(lines)).items()) == kept
    raw = [(name.encode(), value.encode()) for name, value in lines]
    assert without_raw_cors(raw) == [(name.encode(), value.encode()) for name, value in kept]
