"""The description of the gateway's own resources as a page."""

import json
import re
from pathlib import Path

from docsite.openapi import METHODS, page

DOCUMENT = json.loads((Path(__file__).parents[2] / "gateway" / "openapi.json").read_text())


def test_every_operation_schema_and_problem_is_on_the_page() -> None:
    headings = re.findall(r"(?m)^### (.*)$", page(DOCUMENT))
    wanted = {
        f"{method.upper()} {path}"
        for path, item in DOCUMENT["paths"].items()
        for method in METHODS
        if method in item and not item[method]["operationId"].endswith("Head")
    }
    statuses = {name.removeprefix("Problem") for name in DOCUMENT["components"]["responses"]}
    assert {*headings} == wanted | {*DOCUMENT["components"]["schemas"]} | statuses
    assert len(headings) == len({*headings})


def test_every_link_leads_to_a_heading_of_the_page() -> None:
    text = page(DOCUMENT)
    anchors = {heading.lower() for heading in re.findall(r"(?m)^### (\w+)$", text)}
    assert {*re.findall(r"\]\(#([^)]+)\)", text)} <= anchors


def test_rows_have_as_many_cells_as_their_table() -> None:
    for table in re.findall(r"(?m)(?:^\|.*\n)+", page(DOCUMENT)):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, table
