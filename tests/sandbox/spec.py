"""ChatKitty's OpenAPI document, as a judge of answers."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

DOCUMENT = Path(__file__).parent.parent / "data" / "chatkitty-openapi-2.41.9.json"
_ROOT = "urn:chatkitty"


@cache
def document() -> Any:
    return json.loads(DOCUMENT.read_text())


@cache
def _registry() -> Registry[Any]:
    resource: Resource[Any] = Resource.from_contents(document(), default_specification=DRAFT4)
    registry: Registry[Any] = Registry().with_resource(_ROOT, resource)
    return registry


def faults(method: str, path: str, status: int, answer: Any) -> list[str]:
    """Where an answer breaks the schema that the document has for it; `path` is its template."""
    operation = document()["paths"][path][method.lower()]
    content = operation["responses"][str(status)]["content"]
    schema = _absolute(next(iter(content.values()))["schema"])
    validator = OAS30Validator(schema, registry=_registry())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]


def _absolute(value: Any) -> Any:
    """The schema with references into the whole document."""
    if isinstance(value, dict):
        return {
            name: _ROOT + member
            if name == "$ref" and isinstance(member, str)
            else _absolute(member)
            for name, member in value.items()
        }
    return [_absolute(item) for item in value] if isinstance(value, list) else value
