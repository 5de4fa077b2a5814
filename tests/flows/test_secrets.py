"""Tokens and keys are used, and never written: not in logs, records, messages or arguments."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis

from gateway.errors import ObjectNotFound
from gateway.stack.valkey import Valkey
from gateway.store.s3 import S3Store
from tests.flows import files, raw
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, Sandbox
from tests.servers.secrets import found_in, known, links_in
from tests.servers.zygote import ForkedPart

MESSAGES = f"/v1/channels/{CHANNEL}/messages"


async def _in_redis(valkey: Valkey) -> AsyncIterator[tuple[str, bytes]]:
    """Every value, the messages of the broker among them."""
    redis = Redis.from_url(valkey.url)
    async for key in redis.scan_iter():
        kind = await redis.type(key)
        value: object
        match kind:
            case b"string":
                value = await redis.get(key)
            case b"hash":
                value = await redis.hgetall(key)
            case b"list":
                value = await redis.lrange(key, 0, -1)
            case b"zset":
                value = await redis.zrange(key, 0, -1, withscores=True)
            case _:
                value = await redis.smembers(key)
        yield f"redis {key!r}", key + repr(value).encode()
    await redis.aclose()


async def _in_bucket(store: S3Store) -> AsyncIterator[tuple[str, bytes]]:
    """Every object but the clients' own bytes."""
    for prefix in ("pending/", "records/", "claims/"):
        async for listed in store.list(prefix):
            try:
                document = await store.get(listed.key)
            except ObjectNotFound:  # its state has changed in the meantime
                continue
            yield f"bucket {listed.key}", document.content


def _in_arguments() -> Iterator[tuple[str, bytes]]:
    """The command line of every process that the tests have started: every user can read it."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            yield f"process {process.pid}", " ".join(process.cmdline()).encode()


async def _misuse(gateway: Gateway, client: Client) -> None:
    """Use the token in ways that end in an error; each error is logged or answered."""
    bearer = f"Authorization: Bearer {client.token}"
    body = raw.form(files.PNG)
    length = f"Content-Length: {len(body)}"
    for headers in (
        (f"{bearer}\0", raw.FORM_TYPE, length),
        (f"{bearer}\rX: y", raw.FORM_TYPE, length),
        (f"Authorization : Bearer {client.token}", raw.FORM_TYPE, length),
        (f"X-{client.token}: {'y' * 9_000}", bearer, raw.FORM_TYPE, length),
        (bearer, bearer, raw.FORM_TYPE, length),
        (f"{bearer} and-more", raw.FORM_TYPE, length),
        (f"Authorization: Basic {client.token}", raw.FORM_TYPE, length),
        (f"Grant: {client.token}", raw.FORM_TYPE, length),
        (bearer, raw.FORM_TYPE, f"Content-Length: {client.token}"),
        (bearer, raw.FORM_TYPE, "Transfer-Encoding: chunked"),
    ):
        await raw.exchange(gateway.url, raw.head(MESSAGES, *headers) + body, until=b"\r\n\r\n")
    await raw.exchange(gateway.url, f"GET {client.token} {client.token}\r\n\r\n".encode())
    await raw.abandon(gateway.url, [raw.head(MESSAGES, bearer, raw.FORM_TYPE, length) + body[:20]])
    await client.request("GET", f"/v1/users?access_token={client.token}&grant={client.token}")
    await client.request("GET", f"/gateway/uploads?before={client.token}")
    await client.as_another(f"{client.token}!").upload(MESSAGES, files.PNG)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fast", "plain"])
@pytest.mark.parametrize("delivery", ["relay", "external"])
async def test_nothing_that_is_written_holds_a_token(
    start_gateway: StartGateway,
    everything: tuple[ForkedPart, Sandbox],
    valkey: Valkey,
    store: S3Store,
    engine: str,
    delivery: str,
) -> None:
    worker, sandbox = everything
    token = f"carol-{secrets.token_urlsafe(16)}"
    gateway = start_gateway(
        engine=engine,
        delivery=delivery,
        auth="static",
        auth_static_tokens=f"carol:{token}",
        upstream_client_id="",  # so that the caller's token is kept for later
        upstream_client_secret="",
    )
    async with Client.open(gateway.url, token) as client:
        await sandbox.fault("POST", MESSAGES, times=3, delay=1.0)
        under_way = asyncio.create_task(
            client.upload(MESSAGES, files.PNG, headers={"Idempotency-Key": "k", "Prefer": "wait=0"})
        )
        await _misuse(gateway, client)
        written = [item async for item in _in_redis(valkey)]
        written += [item async for item in _in_bucket(store)]
        assert (await under_way).status in (200, 201, 202, 401, 502)
    written += [*_in_arguments(), ("gateway", gateway.log.read_bytes())]
    written += [("worker", worker.log.read_bytes())]

    assert len(written) > 10
    assert found_in(written, [*known(), token]) == []


async def test_the_link_to_a_hosted_file_is_not_logged(
    external: Client, external_gateway: Gateway
) -> None:
    answer = await external.upload(MESSAGES, files.PNG)
    url = answer.json()["file"]["url"]
    link = url.split("/")[-2]
    assert (await external.request("GET", url, allow_redirects=False)).status == 302
    await external.request("GET", f"/gateway/files/{link}x/a.png")

    log = external_gateway.log.read_bytes()
    assert b"/gateway/files/{token}/{name}" in log
    assert link.encode() not in log
    assert links_in([("log", log), ("link", f"x {link}/a".encode())]) == ["link"]


def test_a_secret_in_the_clear_is_found(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Bearer carol-token-of-hers")
    written = [("log", (tmp_path / "log").read_bytes())]
    assert found_in(written, ["carol-token", "other-token"]) == ["log: caro…"]
