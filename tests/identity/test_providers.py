"""Gateways set up by the examples of docs/identity-providers.md, and the tokens they are for."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flows import files
from tests.flows.client import Answer, Client
from tests.identity import forge
from tests.identity.shapes import EC, JANE, JOHN, RSA, SECRET, SHAPES, Shape
from tests.servers import secrets
from tests.servers.gateway import Gateway
from tests.servers.provider import Provider
from tests.servers.sandbox import CHANNEL

PAGE = Path(__file__).parents[2] / "docs" / "identity-providers.md"
MESSAGES = f"/v1/channels/{CHANNEL}/messages"
SHARED = {SECRET: "a-legacy-secret-that-has-40-characters-", "another secret": "x" * 40}
CASES = [
    pytest.param(name, shape, id=f"{name}: {shape.name}")
    for name, shapes in SHAPES.items()
    for shape in shapes
]


@dataclass(frozen=True)
class Served:
    """A gateway, and the provider that signs for it."""

    gateway: Gateway
    provider: Provider

    async def token(self, shape: Shape) -> str:
        """The token of that shape, signed as it says."""
        by_key = shape.by if shape.by not in SHARED else RSA
        token = await self.provider.token(by_key, shape.header, **shape.claims)
        if shape.by in SHARED:
            token = forge.by_secret(token, SHARED[shape.by].encode())
            secrets.remember_tokens([token])
        return token


def _examples() -> Mapping[str, Mapping[str, str]]:
    """The variables of each section of the page."""
    sections = re.split(r"(?m)^##+ (.*)$", PAGE.read_text())[1:]
    examples = {}
    for name, text in zip(sections[::2], sections[1::2], strict=True):
        if found := re.findall(r"(?m)^(GATEWAY_\w+)=(\S+)$", text):
            examples[name] = dict(found)
    return examples


EXAMPLES = _examples()


@pytest.fixture(scope="module")
def issuing(identity_provider: Provider) -> Provider:
    async def publish() -> None:
        await identity_provider.generate(EC, "ES256")
        await identity_provider.publish(RSA, EC)

    asyncio.run(publish())
    return identity_provider


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest, issuing: Provider, environ: dict[str, str], servers_dir: Path
) -> Iterator[Served]:
    """A gateway with the settings of that example, but with the test's keys and secrets."""
    example = dict(EXAMPLES[request.param])
    if "GATEWAY_AUTH_JWKS_URL" in example:
        example["GATEWAY_AUTH_JWKS_URL"] = f"{issuing.url}/jwks"
    if "GATEWAY_AUTH_HS256_SECRET_FILE" in example:
        file = servers_dir / "jwt-secret"
        file.write_text(SHARED[SECRET] + "\n")
        example["GATEWAY_AUTH_HS256_SECRET_FILE"] = str(file)
    settings = {**environ, "GATEWAY_DELIVERY": "external", **example}
    with Gateway.start(settings, servers_dir) as started:
        yield Served(started, issuing)


def test_each_example_has_tokens_of_its_own() -> None:
    assert EXAMPLES.keys() == SHAPES.keys()


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("served", "shape"), CASES, indirect=["served"])
async def test_tokens_are_judged_as_the_page_says(served: Served, shape: Shape) -> None:
    async with Client.open(served.gateway.url, await served.token(shape)) as client:
        fields = {"username": JOHN} if shape.service else {}
        answer = await client.upload(MESSAGES, files.PNG, name="a.png", fields=fields)
        if shape.says is not None:
            assert _refused(answer, shape.says), answer.body
            return
        assert answer.status == 200, answer.body
        assert answer.json()["user"]["name"] == (JOHN if shape.service else JANE)
        assert (await client.resource(answer.upload_id))["state"] == "registered"


def _refused(answer: Answer, says: str) -> bool:
    """Whether the answer has the reason; or its slug, if the token itself has no fault."""
    problem = answer.json()
    slug = problem["type"].rpartition(":")[2]
    if answer.status == 401:
        return slug == "invalid-token" and says in problem["detail"]
    return (answer.status, slug) == (403, says)
