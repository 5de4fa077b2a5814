"""What an upload costs at Redis: commands that are sent to it, by the upload and by the message."""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, TOKENS

PATH = f"/v1/channels/{CHANNEL}/messages"
UPLOADS = 24
NOT_OF_UPLOADS = (
    *("HELLO", "CLIENT", "AUTH", "SELECT", "PING", "TIME", "BRPOP", "MULTI", "EXEC"),
    *(keys.PRESENT_SINCE, keys.presence(""), keys.DUE, keys.ANNOUNCED),
    *("celeryev", "unacked_mutex", "ZRANGE unacked_index", "_kombu"),
    "EXISTS",  # the test's own
)
"""Words in commands that are sent periodically, also by Redis, or when connections open."""

OF_A_MESSAGE = {
    "LPUSH": 1,
    "ZADD": 1,
    "HSET": 1,
    "ZREM": 1,
    "HDEL": 1,
    "EVAL": 2,  # begun, and done
}
"""Celery's, and the counts of `workers.steps.poison`."""

# Relayed: the record is kept, read, removed from two places, and its end announced. Hosted: it is
# sought, remembered for its subject, and announced on two channels; whether ChatKitty works is
# asked now and then. Several that are read at once are read by one EVAL.
MOST_OF_AN_UPLOAD = {
    "relay": {"EVALSHA": 1, "GET": 1, "EVAL": 0.5, "DEL": 1, "ZREM": 1, "PUBLISH": 1},
    "external": {"GET": 2, "EVAL": 1.5, "PUBLISH": 2},
}


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("delivery", ["relay", "external"])
@pytest.mark.usefixtures("sandbox_server")
async def test_an_upload_sends_the_listed_commands_to_redis(
    delivery: str,
    at_once: int,
    environ: dict[str, str],
    module_valkey: Valkey,
    tmp_path: Path,
) -> None:
    settings = environ | {"GATEWAY_DELIVERY": delivery, "GATEWAY_REDIS_URL": module_valkey.url}
    async with Redis.from_url(module_valkey.url) as redis:
        await redis.flushall()
        with start_worker(settings, tmp_path), Gateway.start(settings, tmp_path) as gateway:
            async with Client.open(gateway.url, TOKENS["alice"]) as client:
                await _upload(client, redis, at_once)  # opens connections, loads scripts
                before = _untaken(gateway)
                async with redis.monitor() as monitor:
                    watching = asyncio.create_task(_watch(monitor))
                    await _upload(client, redis, at_once)
                    await redis.echo("all have ended")
                    sent = await watching
    messages = len(sent["LPUSH"])
    of_uploads = MOST_OF_AN_UPLOAD[delivery]
    # What no worker accepted in time is sent again.
    assert 0 < messages <= UPLOADS + _untaken(gateway) - before
    for name, commands in sent.items():
        most = OF_A_MESSAGE.get(name, 0) * messages + of_uploads.get(name, 0) * UPLOADS
        assert len(commands) <= most, (messages, commands)


def _untaken(gateway: Gateway) -> int:
    """How many uploads were offered in vain."""
    return gateway.log.read_text().count("offer.untaken")


async def _watch(monitor: Any) -> dict[str, list[str]]:
    """Commands that clients send, by name; those of scripts are a part of the script's."""
    sent: dict[str, list[str]] = defaultdict(list)
    while True:
        told = await monitor.next_command()
        command = told["command"]
        if command.startswith("ECHO"):
            return sent
        if told["client_type"] != "lua" and not any(word in command for word in NOT_OF_UPLOADS):
            sent[command.split()[0]].append(command[:120])


async def _upload(client: Client, redis: Redis, at_once: int) -> None:
    """Upload, and wait until all have ended, and each message is acknowledged."""

    async def one_after_the_other() -> None:
        for _ in range(UPLOADS // at_once):
            answer = await client.upload(PATH, files.PNG)
            assert answer.status == 200, answer.body

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    async with asyncio.timeout(PATIENCE):
        while await redis.exists(keys.RELAYED_SET, Step.INSPECT, Step.AUDIT, "unacked"):
            await asyncio.sleep(0.02)
