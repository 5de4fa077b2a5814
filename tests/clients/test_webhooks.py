"""The public libraries of Standard Webhooks verify what is sent, during a change of secrets too."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from gateway.choices import Delivery, WebhookFormat
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import advance, begin
from gateway.uploads.record import File, State, Target, Terms, Upload
from gateway.webhooks.addresses import Allowed
from gateway.webhooks.endpoints import Endpoint
from gateway.webhooks.messages import body_of, message_of
from gateway.webhooks.sender import Sender
from gateway.webhooks.signing import key_of
from tests.clients.drivers import ENVIRONMENT
from tests.clients.install import NODE
from tests.servers.receiver import OTHER_SECRET, SECRET, Received, receiving

STRANGE = "whsec_c3RyYW5nZS1zZWNyZXQtb2YtYW5vdGhlci1zZW5kZXI="
NAME = "Zoë's 🐈 \u2028.png"


def registered() -> Upload:
    at = datetime.now(UTC)
    upload = Upload(
        id=new_id(),
        subject="user-17",
        request_id="r",
        delivery=Delivery.RELAY,
        target=Target("POST", "/v1/channels/1/messages"),
        history=begin(at, State.RELAYED, at),
        files=(File(name=NAME, original_name=NAME, declared_type=None, size=1),),
        terms=Terms(),
    )
    return advance(upload, State.AUDITED, at)


async def by_npm(node: Path, received: list[tuple[Received, str]]) -> list[dict[str, Any] | None]:
    """What npm's library makes of each message with each secret: None if it refuses it."""
    process = await asyncio.create_subprocess_exec(
        str(node),
        str(NODE / "webhooks.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    lines = [
        json.dumps({"secret": secret, "body": each.body.decode(), "headers": dict(each.headers)})
        for each, secret in received
    ]
    output, _ = await process.communicate("\n".join(lines).encode())
    assert process.returncode == 0
    return [json.loads(line)["message"] for line in output.splitlines()]


def by_pypi(received: Received, secret: str) -> dict[str, Any] | None:
    """What PyPI's library makes of the message: None if it refuses it."""
    try:
        return received.verified(secret)
    except WebhookVerificationError:
        return None


@pytest.mark.parametrize("chosen", WebhookFormat)
async def test_both_libraries_verify_a_message_by_either_secret_and_no_other(
    node: Path, chosen: WebhookFormat
) -> None:
    upload = registered()
    body = body_of(upload, chosen, "https://uploads.example")
    async with receiving() as receiver, Sender.open(Allowed(loopback=True)) as sender:
        keys = (key_of(SECRET), key_of(OTHER_SECRET))
        endpoint = Endpoint("e", receiver.url, ("upload.*",), keys, chosen)
        assert (await sender.send(endpoint, message_of(upload).id, body)).succeeded
        (sent,) = receiver.received
    altered = Received(sent.headers, sent.body + b" ", sent.path)
    renamed = Received({**sent.headers, "webhook-id": "msg_other"}, sent.body, sent.path)
    message = json.loads(body)
    assert message["data"]["upload"]["file"]["name"] == NAME
    cases = [
        (sent, SECRET),
        (sent, OTHER_SECRET),
        (sent, STRANGE),
        (altered, SECRET),
        (renamed, OTHER_SECRET),
    ]
    expected = [message, message, None, None, None]
    assert [by_pypi(*case) for case in cases] == expected
    assert await by_npm(node, cases) == expected
