"""What stands in front of the gateways; with nginx and HAProxy: tests/deploy/test_fronts.py."""

import pytest

from gateway.doctor.examination import examine
from gateway.doctor.parts import Part
from gateway.errors import ConfigurationError
from gateway.settings import load
from gateway.stack.ports import HOST, free_port
from tests.servers.fixtures import StartGateway

pytestmark = pytest.mark.usefixtures("sandbox")


async def examined(environ: dict[str, str], url: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    more = {"GATEWAY_PUBLIC_URL": url, "GATEWAY_INTERIM_RESPONSES": "on"}
    status = await examine(load({**environ, **more}), lines.append, only=[Part.FRONT])
    return status, [line for line in lines if "https URL" not in line]


async def test_interim_responses_that_arrive(
    environ: dict[str, str], start_gateway: StartGateway
) -> None:
    gateway = start_gateway(delivery="external", interim_responses="true")
    assert await examined(environ, gateway.url) == (0, ["front: ok"])


async def test_interim_responses_that_do_not_arrive(
    environ: dict[str, str], start_gateway: StartGateway
) -> None:
    status, lines = await examined(environ, start_gateway(delivery="external").url)
    assert (status, lines[0]) == (0, "front: ok")
    assert lines[1].startswith("advice: switch GATEWAY_INTERIM_RESPONSES off")


@pytest.mark.parametrize("path", ["", "/elsewhere"])
async def test_a_front_that_is_not_reached_from_here(
    environ: dict[str, str], start_gateway: StartGateway, path: str
) -> None:
    port = start_gateway(delivery="external").port if path else free_port()
    status, lines = await examined(environ, f"http://{HOST}:{port}{path}")
    assert (status, lines[0]) == (0, "front: ok")
    assert "GATEWAY_PUBLIC_URL" in lines[1]


async def test_without_interim_responses_there_is_nothing_to_look_at(
    environ: dict[str, str],
) -> None:
    with pytest.raises(ConfigurationError, match="GATEWAY_INTERIM_RESPONSES is off"):
        await examine(load(environ), lambda _: None, only=[Part.FRONT])
