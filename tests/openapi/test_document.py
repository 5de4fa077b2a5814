"""`gateway/openapi.json` describes every route of the code, and nothing else.

After a change of it: `UPDATE_EXAMPLES=1 pytest -n 0 tests/openapi/test_document.py`.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp.web_app import Application
from cryptography.fernet import Fernet
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.problems import INTERNAL, OUTCOME_UNKNOWN, PROBLEMS
from gateway.server.app import create_admin_app, create_app
from gateway.settings import load
from tests.openapi.document import rendered

FILE: Final = Path(__file__).parents[2] / "gateway" / "openapi.json"
METHODS: Final = {"get", "head", "post", "put", "patch", "delete", "options"}
UNUSED: Final = {"Problem501"}
"""What only passed requests get, which have no operation here."""
DOORS: Final = ("/gateway/raw", "/gateway/tus")

Routes = set[tuple[str, str]]


@pytest.fixture(scope="module")
def described() -> Any:
    return json.loads(FILE.read_text())


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield path, method.upper(), item[method]


def routes_of(app: Application) -> Routes:
    """The routes by their paths as the document writes them."""
    return {
        (re.sub(r"{(\w+)(:[^{}]*(?:{[^}]*})?[^{}]*)?}", r"{\1}", resource.canonical), route.method)
        for resource in app.router.resources()
        for route in resource
    }


def listed(document: Any, address: str) -> Routes:
    """The operations of a listener; all targets of a door are one route."""
    found = set()
    for path, method, _ in operations(document):
        servers = document["paths"][path].get("servers", document["servers"])
        if any(server["url"].startswith(address) for server in servers):
            door = next((door for door in DOORS if path.startswith(f"{door}/")), None)
            found.add((f"{door}/{{path}}" if door else path, method))
    return found


def test_the_file_is_what_the_code_says() -> None:
    if os.environ.get("UPDATE_EXAMPLES"):
        FILE.write_text(rendered())
    assert FILE.read_text() == rendered()


def test_it_is_openapi(described: Any) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_every_route_is_described_and_the_other_way_round(described: Any) -> None:
    key = Fernet.generate_key().decode()
    settings = load({"GATEWAY_SECRET_KEY": key, "GATEWAY_TRY_PAGE": "true"})
    public = create_app(settings)
    passed_on = "/{path}"
    routes = {
        route
        for route in routes_of(public)
        if route[0] != passed_on and not _is_loaded_by_a_page(route[0])
    }
    # Any method is answered there, by what it is.
    wild = {path for path, method in routes if method == "*"}
    of_wild = {(path, method) for path, method in listed(described, "/") if path in wild}
    assert {path for path, _ in of_wild} == wild
    exact = {route for route in routes if route[1] != "*"}
    assert exact | of_wild == listed(described, "/")
    admin = routes_of(create_admin_app(public, settings))
    own = {route for route in admin if not _is_loaded_by_a_page(route[0])}
    assert own == listed(described, "http://127.0.0.1:8081")


def _is_loaded_by_a_page(path: str) -> bool:
    """Whether it is a page, or a file that a page loads, which changes with it."""
    return path in ("/", "/gateway/try/{name}", "/gateway/admin/{name}")


def test_every_problem_is_described_by_its_status(described: Any) -> None:
    kinds = {*PROBLEMS.values(), INTERNAL, OUTCOME_UNKNOWN}
    responses = described["components"]["responses"]
    used = {
        response["$ref"].rpartition("/")[2]
        for _, _, operation in operations(described)
        for response in operation["responses"].values()
        if "$ref" in response
    }
    for kind in kinds:
        name = f"Problem{kind.status}"
        schema = responses[name]["content"]["application/problem+json"]["schema"]
        assert kind.type in schema["allOf"][1]["properties"]["type"]["enum"]
        assert f"`{kind.slug}`: " in responses[name]["description"]
    assert set(responses) - used == UNUSED


def test_an_operation_has_a_name_of_its_own_and_a_summary(described: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len({*names}) == len(names)
    tags = {tag["name"] for tag in described["tags"]}
    for _, _, operation in operations(described):
        assert operation["summary"]
        assert set(operation["tags"]) <= tags


def test_every_part_is_used(described: Any) -> None:
    text = FILE.read_text()
    for kind, parts in described["components"].items():
        for name in parts:
            if kind != "securitySchemes" and name not in UNUSED:
                assert f'"#/components/{kind}/{name}"' in text, name


def test_examples_are_of_their_schemas(described: Any) -> None:
    found = [*_examples(described)]
    assert found
    for schema, example in found:
        # References within a schema are to the document.
        OAS31Validator({**schema, "components": described["components"]}).validate(example)


def _examples(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield node["schema"], node["example"]
        if "schema" in node and "examples" in node:
            yield from ((node["schema"], each["value"]) for each in node["examples"].values())
        for each in node.values():
            yield from _examples(each)
    elif isinstance(node, list):
        for each in node:
            yield from _examples(each)
