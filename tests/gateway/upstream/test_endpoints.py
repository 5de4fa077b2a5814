"""Which paths name an endpoint that takes a file."""

import json
from pathlib import Path

import pytest

from gateway.upstream.endpoints import Endpoint, EndpointKind, Generation, generation_of, recognise

OPENAPI = Path(__file__).parents[2] / "data/chatkitty-openapi-2.41.9.json"
V1, CURRENT = Generation.V1, Generation.CURRENT


@pytest.mark.parametrize(
    ("path", "kind", "generation", "resource_id"),
    [
        ("/v1/channels/702/messages", EndpointKind.CHANNEL_MESSAGE, V1, 702),
        ("/channels/702/messages", EndpointKind.CHANNEL_MESSAGE, CURRENT, 702),
        ("/v1/applications/1/channels/702/messages", EndpointKind.CHANNEL_MESSAGE, V1, 702),
        ("/applications/1/channels/702/messages", EndpointKind.CHANNEL_MESSAGE, CURRENT, 702),
        ("/v1/threads/9/messages", EndpointKind.THREAD_MESSAGE, V1, 9),
        ("/threads/9/messages", EndpointKind.THREAD_MESSAGE, CURRENT, 9),
        ("/v1/users/1/display-picture", EndpointKind.DISPLAY_PICTURE, V1, 1),
        ("/users/1/display-picture", EndpointKind.DISPLAY_PICTURE, CURRENT, 1),
        ("/v1/imports/users", EndpointKind.IMPORT, V1, None),
        ("/imports/channels", EndpointKind.IMPORT, CURRENT, None),
        ("/v1/imports/channels/5/members", EndpointKind.IMPORT, V1, 5),
        ("/v1/imports/messages", EndpointKind.IMPORT, V1, None),
        ("/v1/channels/9223372036854775807/messages", EndpointKind.CHANNEL_MESSAGE, V1, 2**63 - 1),
    ],
)
def test_a_documented_path_is_recognised(
    path: str, kind: EndpointKind, generation: Generation, resource_id: int | None
) -> None:
    assert recognise(path) == Endpoint(kind, generation, path, resource_id)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/v2/channels/702/messages",
        "/V1/channels/702/messages",
        "/v1/v1/channels/702/messages",
        "/v1/channels/702/messages//",
        "/v1//channels/702/messages",
        "/v1/channels//messages",
        "/v1/channels/-1/messages",
        "/v1/channels/abc/messages",
        "/v1/channels/\N{ARABIC-INDIC DIGIT SEVEN}/messages",
        "/v1/channels/702/messages\n",
        "/v1/channels/702/messages?size=1",
        "/v1/channels/%37/messages",
        "/v1/channels%2F702/messages",
        "/v1/channels/1/../702/messages",
        "/v1/channels/9223372036854775808/messages",
        "/v1/applications/channels/702/messages",
        "/v1/users/1/messages",
        "/v1/messages/1",
        "/v1/imports/users/1",
        "/v1/imports/channels/members",
        "v1/channels/702/messages",
    ],
)
def test_any_other_path_is_not(path: str) -> None:
    assert recognise(path) is None


def test_imports_alone_take_no_reference_to_an_external_file() -> None:
    paths = ("/channels/1/messages", "/threads/1/messages", "/users/1/display-picture")
    endpoints = [recognise(path) for path in (*paths, "/imports/users")]
    assert [endpoint and endpoint.is_dual for endpoint in endpoints] == [True, True, True, False]


def test_a_slash_at_the_end_names_the_same_endpoint() -> None:
    assert recognise("/v1/channels/702/messages/") == recognise("/v1/channels/702/messages")


def test_its_methods_are_those_that_chatkitty_documents() -> None:
    paths = json.loads(OPENAPI.read_text())["paths"]
    for path, operations in paths.items():
        endpoint = recognise(path.replace("{id}", "1"))
        if endpoint is not None:
            documented = {method.upper() for method in operations}
            assert set(endpoint.methods) == documented, path


@pytest.mark.parametrize("generation", Generation)
def test_a_generation_is_recognised_by_its_prefix(generation: Generation) -> None:
    assert generation_of(f"{generation.prefix}/application") is generation
