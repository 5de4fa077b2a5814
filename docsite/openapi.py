"""The OpenAPI document as a page that needs no script. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")

_INTRODUCTION: Final = """# The gateway's own resources

{description} This page is made from [openapi.json](openapi.json), which every gateway serves at
`/gateway/openapi.json`.
"""

JSON = Mapping[str, Any]


def page(document: JSON) -> str:
    """The page."""
    parts = [_INTRODUCTION.format(description=document["info"]["description"])]
    for tag in document["tags"]:
        parts += [f"## {tag['name']}", tag["description"]]
        for path, method, operation in _operations(document):
            if tag["name"] in operation["tags"]:
                parts += _operation(document, path, method, operation)
    parts.append("## Schemas")
    for name, schema in document["components"]["schemas"].items():
        parts += _schema(name, schema)
    parts.append("## Problems by status")
    for name, response in document["components"]["responses"].items():
        parts += [f"### {_status(name)}", response["description"]]
    return "\n\n".join(parts) + "\n"


def _operations(document: JSON) -> Iterator[tuple[str, str, JSON]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            # The headers alone: what they are is said with the operation that has a body.
            if method in item and not item[method]["operationId"].endswith("Head"):
                yield path, method, item[method]


def _operation(document: JSON, path: str, method: str, operation: JSON) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield (
        ". ".join(
            text.rstrip(".") for key in ("summary", "description") if (text := operation.get(key))
        )
        + "."
    )
    item = document["paths"][path]
    servers = [each["description"].lower() for each in item.get("servers", document["servers"])]
    asked = operation.get("security", document["security"])
    token = ", ".join(name for each in asked for name in each) or "none"
    yield f"At {' and '.join(servers)}. Token: {token}."
    parameters = [
        _resolved(document, each)
        for each in (*item.get("parameters", ()), *operation.get("parameters", ()))
    ]
    if parameters:
        yield "\n".join(
            [
                "| parameter | in | |",
                "| --- | --- | --- |",
                *(_parameter(each) for each in parameters),
            ]
        )
    if body := operation.get("requestBody"):
        kinds = ", ".join(f"`{kind}`" for kind in body["content"])
        yield f"Body: {kinds}{'' if body.get('required') else ', or none'}."
    answers = sorted(operation["responses"].items())
    rows = [_answer(status, each) for status, each in answers if "$ref" not in each]
    yield "\n".join(["| status | answer |", "| --- | --- |", *rows])
    faults = [f"[{status}](#{status})" for status, each in answers if "$ref" in each]
    yield f"Problems: {', '.join(faults)}."


def _parameter(parameter: JSON) -> str:
    required = ", required" if parameter["required"] else ""
    text = parameter["description"] + _example(parameter)
    return f"| `{parameter['name']}` | {parameter['in']}{required} | {_cell(text)} |"


def _example(parameter: JSON) -> str:
    return f" (example: `{parameter['example']}`)" if "example" in parameter else ""


def _answer(status: str, response: JSON) -> str:
    schemas = {
        each["schema"]["$ref"].rpartition("/")[2]
        for each in response.get("content", {}).values()
        if "$ref" in each.get("schema", {})
    }
    links = ", ".join(f"[{name}](#{name.lower()})" for name in sorted(schemas))
    headers = ", ".join(f"`{name}`" for name in response.get("headers", {}))
    text = response["description"] + (f" ({links})" if links else "")
    return f"| {status} | {_cell(text)}{f'<br>{headers}' if headers else ''} |"


def _schema(name: str, schema: JSON) -> Iterator[str]:
    yield f"### {name}"
    if text := schema.get("description"):
        yield f"{text.rstrip('.')}."
    if "enum" in schema:
        yield ", ".join(f"`{value}`" for value in schema["enum"])
    if members := schema.get("properties"):
        required = set(schema.get("required", ()))
        rows = [
            f"| `{member}` | {_type(each)}{', always' if member in required else ''}"
            f" | {_cell(each.get('description', ''))} |"
            for member, each in members.items()
        ]
        yield "\n".join(["| member | type | |", "| --- | --- | --- |", *rows])


def _type(schema: JSON) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(kinds)


def _status(name: str) -> str:
    return name.removeprefix("Problem")


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _resolved(document: JSON, node: JSON) -> JSON:
    if "$ref" not in node:
        return node
    found: Any = document
    for name in node["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    resolved: JSON = found
    return resolved
