"""Which dialect a request is taken for."""

import pytest

from gateway.errors import MalformedRequest, UnsupportedTusVersion
from gateway.problems import problem_of
from gateway.resumable.dialects import by_name, of_creation, of_resource
from gateway.resumable.dialects.draft import DRAFTS
from gateway.resumable.dialects.tus import TUS
from gateway.resumable.protocol import Door
from tests.gateway.resumable.dialects.heads import fields

_TUS = ("Tus-Resumable", "1.0.0")
_IOS = ("Upload-Draft-Interop-Version", "6")


def test_each_dialect_is_found_by_its_name() -> None:
    for name in [*(draft.name for draft in DRAFTS), TUS.name]:
        assert by_name(name).name == name


def test_a_door_has_its_own_dialects() -> None:
    assert of_creation(fields(), Door.RAW).name == "draft"
    assert of_creation(fields(_IOS), Door.RAW).name == "draft-6"
    assert of_creation(fields(_TUS, _IOS), Door.TUS).name == "tus"
    with pytest.raises(MalformedRequest, match="/gateway/tus"):
        of_creation(fields(_TUS), Door.RAW)


@pytest.mark.parametrize("version", [(), ("1.0.1",), ("0.2.2",), ("1.0.0", "1.0.0")])
def test_another_version_of_tus_is_refused_with_the_supported_one(
    version: tuple[str, ...],
) -> None:
    headers = fields(*(("Tus-Resumable", each) for each in version))
    with pytest.raises(UnsupportedTusVersion) as caught:
        of_creation(headers, Door.TUS)
    problem = problem_of(caught.value)
    assert (problem.kind.status, problem.headers) == (412, {"Tus-Version": "1.0.0"})
    if version:
        with pytest.raises(UnsupportedTusVersion):
            of_resource("PATCH", headers)


RESOURCE = {
    ("PATCH", (_TUS, _IOS)): "tus",
    ("HEAD", (_TUS,)): "tus",
    ("DELETE", (_TUS,)): "tus",
    ("PATCH", (_IOS,)): "draft-6",
    ("PATCH", ()): "draft",
    ("HEAD", ()): "draft",
    ("HEAD", (_IOS,)): "draft-6",
    ("DELETE", (_IOS,)): "draft-6",
    ("DELETE", ()): None,
    ("GET", ()): None,
    ("GET", (("Upload-Complete", "?1"),)): "draft",
}


@pytest.mark.parametrize(("method", "lines"), RESOURCE)
def test_an_answer_is_in_the_dialect_of_its_request(
    method: str, lines: tuple[tuple[str, str], ...]
) -> None:
    found = of_resource(method, fields(*lines))
    assert (found.name if found else None) == RESOURCE[method, lines]


@pytest.mark.parametrize("name", ["Upload-Offset", "Upload-Complete", "Upload-Incomplete"])
def test_a_head_request_must_not_have_the_drafts_fields(name: str) -> None:
    with pytest.raises(MalformedRequest, match=name):
        of_resource("HEAD", fields(_IOS, (name, "?1")))
