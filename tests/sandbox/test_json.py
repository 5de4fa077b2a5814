"""JSON that breaks some parsers is a client's fault in every operation."""

import asyncio

import pytest

from tests.flows import files
from tests.flows.client import Client
from tests.servers.sandbox import CHANNEL

PATH = f"/v1/channels/{CHANNEL}/messages"
DEEP = ("[" * 90_000 + "]" * 90_000, "[" * 700 + "]" * 700, '{"a":' * 450 + "1" + "}" * 450)
BROKEN = (*DEEP, "NaN", "-Infinity", "1e999", "9" * 5000, '"\\ud8"', "", "\ufeff", "{'a': 1}")
ODD = ('"\\ud800"', '{"\\udfff": "\\ud83d\\ude00"}', '{"a": 1, "a": 2}', "-0", "1e-999", "9" * 300)
"""JSON that Jackson accepts: a lone surrogate, a member twice, numbers beyond any machine's."""


@pytest.mark.parametrize(("values", "status"), [(BROKEN, 400), (ODD, 200)], ids=["broken", "odd"])
async def test_no_value_is_a_fault_of_the_sandboxs(
    client: Client, values: tuple[str, ...], status: int
) -> None:
    async def form(value: str) -> int:
        fields = {"properties": f'{{"x": {value}}}'}
        return (await client.upload(PATH, files.PNG, fields=fields)).status

    async def message(value: str) -> int:
        body = f'{{"type": "TEXT", "body": "x", "properties": {{"x": {value}}}}}'
        return await posted(PATH, body)

    async def imported(value: str) -> int:
        user = f'"name": "n", "displayName": "d", "isGuest": false, "properties": {{"x": {value}}}'
        answer = await client.upload("/v1/imports/users", f"[{{{user}}}]".encode())
        return 200 if answer.status == 202 else answer.status

    async def posted(path: str, body: str) -> int:
        headers = {"Content-Type": "application/json"}
        return (await client.request("POST", path, data=body.encode(), headers=headers)).status

    for value in values:
        answers = await asyncio.gather(form(value), message(value), imported(value))
        assert set(answers) == {status}, value[:20]
        page = await client.request("GET", f"{PATH}?size=1")
        assert page.status == 200
        page.json()


async def test_an_items_key_and_a_pages_number_are_what_they_must_be(client: Client) -> None:
    users = b'[{"name": "n", "displayName": "d", "isGuest": false, "idempotencyKey": []}]'
    assert (await client.upload("/v1/imports/users", users)).status == 400
    assert (await client.request("GET", f"{PATH}?next={'9' * 5000}")).status == 400
