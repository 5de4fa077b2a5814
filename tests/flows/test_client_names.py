"""Files with names as real clients write them: each way to write one, once."""

import asyncio
import re
from typing import Any, Final

import pytest

from gateway.sandbox.dispositions import filename_of
from gateway.sandbox.failures import Failure
from tests import captures
from tests.captures.names import Named, load_all
from tests.captures.names.expected import REFUSED, expected
from tests.flows.client import Answer, Client
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

pytestmark = pytest.mark.usefixtures("everything")

PATH: Final = f"/v1/channels/{CHANNEL}/messages"
_DISPOSITION: Final = re.compile(rb"content-disposition: *([^\r]+)", re.IGNORECASE)


def _written(capture: Named) -> bytes:
    found = _DISPOSITION.search(capture.body)
    assert found is not None
    return found[1]


WAYS: Final = list({_written(capture).lower(): capture for capture in load_all()}.values())
"""A capture of each way in which a name was written."""

WHOLE: Final = [
    Named(capture.name, capture.parts[0].filename or "", capture.content_type, capture.body)
    for capture in captures.load_all()
    if capture.request.startswith(f"POST {PATH} ".encode()) and capture.parts[0].name == "file"
]
"""Requests that were captured whole, of clients that cannot be run here as well."""


_UNESCAPED: Final = {"alamofire-5.12-quote", "php-guzzle-quote"}
"""Those that have a double quote in a name as it is."""


async def _send(client: Client, capture: Named) -> Answer:
    headers = {"Content-Type": capture.content_type}
    return await client.request("POST", PATH, data=capture.body, headers=headers)


@pytest.mark.parametrize("sent", [WAYS, WHOLE], ids=["each way", "each capture"])
async def test_a_hosted_file_has_the_name_that_its_user_wrote(
    sent: list[Named], external_gateway: Gateway
) -> None:
    async with Client.open(external_gateway.url, TOKENS["alice"]) as client:
        answers = await asyncio.gather(*(_send(client, capture) for capture in sent))
    for capture, answer in zip(sent, answers, strict=True):
        if (capture.client, capture.name) in REFUSED or capture.client in _UNESCAPED:
            assert answer.status == 400, capture
            assert "of the headers of part 1 (`file`)" in answer.json()["detail"]
            continue
        assert answer.status == 200, (capture, answer.body)
        name = expected(capture.client, capture.name) if sent is WAYS else capture.name
        assert answer.json()["file"]["name"] == name


@pytest.mark.parametrize("sent", [WAYS, WHOLE], ids=["each way", "each capture"])
@pytest.mark.parametrize("engine", ["relay_gateway", "plain_relay_gateway"])
async def test_a_relayed_file_is_audited_by_whatever_name_chatkitty_read(
    sent: list[Named], engine: str, request: pytest.FixtureRequest
) -> None:
    gateway: Gateway = request.getfixturevalue(engine)
    async with Client.open(gateway.url, TOKENS["alice"]) as client:

        async def relayed(capture: Named) -> Any:
            answer = await _send(client, capture)
            assert answer.status == 200, (capture, answer.body)
            return await client.end_of(answer.upload_id)

        taken = [capture for capture in sent if not _is_refused_by_spring(capture)]
        ends = await asyncio.gather(*(relayed(capture) for capture in taken))
    assert len(taken) > 25
    for capture, end in zip(taken, ends, strict=True):
        assert end["state"] == "audited", (capture, end)


def _is_refused_by_spring(capture: Named) -> bool:
    try:
        return filename_of(_written(capture).decode()) is None
    except Failure:
        return True
