"""Set-ups that are broken, each in one way, as operators break them."""

import json
import os
import re
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from cryptography.fernet import Fernet
from kombu import Connection, Exchange, Queue
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from gateway.settings import load
from gateway.stack.ports import HOST
from gateway.uploads.agreement import Role, announcement, running
from tests.doctor.ground import ADVICE, Break, Case, Changes, Ground, changed
from tests.doctor.wires import behind_tls, called, own_redis, sentinel, silent, website

NOWHERE: Final = f"{HOST}:9"


def settings(**changes: str | None) -> Break:
    """Settings that are wrong by themselves."""

    @asynccontextmanager
    async def broken(_: Ground) -> AsyncIterator[Changes]:
        yield changes

    return broken


# --- the store ----------------------------------------------------------------------------------


def store_answers(pattern: bytes, status: bytes, code: str = "") -> Break:
    """A store that answers such requests so."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        async with ground.store_proxy() as proxy:
            body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
            proxy.answer(pattern, status, body)
            yield {"S3_ENDPOINT_URL": proxy.url}

    return broken


@asynccontextmanager
async def store_without_conditions(ground: Ground) -> AsyncIterator[Changes]:
    async with ground.store_proxy() as proxy:
        proxy.heedless = True
        yield {"S3_ENDPOINT_URL": proxy.url}


@asynccontextmanager
async def store_with_wrong_checksums(ground: Ground) -> AsyncIterator[Changes]:
    """As moto 5.2 does it: a checksum of checksums that it calls one of the whole object."""
    async with ground.store_proxy() as proxy:
        proxy.replaced = (re.compile(rb"(?i)(x-amz-checksum-crc32c: *)[^\r]+"), rb"\1AAAAAA==")
        yield {"S3_ENDPOINT_URL": proxy.url}


@asynccontextmanager
async def store_behind_tls(ground: Ground) -> AsyncIterator[Changes]:
    async with behind_tls(ground.store, ground.directory) as address:
        yield {"S3_ENDPOINT_URL": f"https://{address}"}


@asynccontextmanager
async def store_by_http_to_tls(ground: Ground) -> AsyncIterator[Changes]:
    async with behind_tls(ground.store, ground.directory) as address:
        yield {"S3_ENDPOINT_URL": f"http://{address}"}


@asynccontextmanager
async def store_is_a_website(_: Ground) -> AsyncIterator[Changes]:
    async with website(b"404 Not Found") as url:
        yield {"S3_ENDPOINT_URL": url}


@asynccontextmanager
async def frozen_store(_: Ground) -> AsyncIterator[Changes]:
    async with silent() as address:
        yield {"S3_ENDPOINT_URL": f"http://{address}"}


@asynccontextmanager
async def store_by_tls_to_http(ground: Ground) -> AsyncIterator[Changes]:
    yield {"S3_ENDPOINT_URL": f"https://{ground.store}"}


STORE: Final = [
    Case(
        "nothing runs there",
        "store",
        "nothing listens at the address of the store",
        "start it, or correct GATEWAY_S3_ENDPOINT_URL",
        settings(S3_ENDPOINT_URL=f"http://{NOWHERE}"),
        slow=True,
    ),
    Case(
        "a misspelt host",
        "store",
        "the host name of the store cannot be resolved",
        "correct GATEWAY_S3_ENDPOINT_URL, or mend DNS",
        settings(S3_ENDPOINT_URL="http://store.invalid"),
        slow=True,
    ),
    Case(
        "it stands still, or a firewall swallows what is sent",
        "store",
        "the store does not answer in time",
        "start it again if it hangs, let this machine connect to it, or correct"
        " GATEWAY_S3_ENDPOINT_URL (host, port, TLS or not)",
        frozen_store,
        slow=True,
    ),
    Case(
        "a website in its place",
        "store",
        "the store answered 404: there is no S3 at that address",
        "correct GATEWAY_S3_ENDPOINT_URL",
        store_is_a_website,
    ),
    Case(
        "https:// to a port without TLS",
        "store",
        "the store does not speak TLS, or another one",
        "correct the scheme and the port in GATEWAY_S3_ENDPOINT_URL",
        store_by_tls_to_http,
        slow=True,
    ),
    Case(
        "http:// to a port with TLS",
        "store",
        "the store breaks connections without an answer",
        "correct the scheme (TLS or not) and the port in GATEWAY_S3_ENDPOINT_URL",
        store_by_http_to_tls,
        slow=True,
    ),
    Case(
        "a certificate of an unknown authority",
        "store",
        "the certificate of the store cannot be verified (…)",
        "name its authority in AWS_CA_BUNDLE, and the host in GATEWAY_S3_ENDPOINT_URL as in the"
        " certificate",
        store_behind_tls,
        slow=True,
    ),
    Case(
        "a wrong access key",
        "store",
        "the store answered InvalidAccessKeyId",
        "correct GATEWAY_S3_ACCESS_KEY_ID and GATEWAY_S3_SECRET_ACCESS_KEY",
        settings(S3_ACCESS_KEY_ID="nobody"),
    ),
    Case(
        "a wrong secret",
        "store",
        "the store answered SignatureDoesNotMatch",
        "correct GATEWAY_S3_ACCESS_KEY_ID and GATEWAY_S3_SECRET_ACCESS_KEY",
        settings(S3_SECRET_ACCESS_KEY="wrong"),
    ),
    Case(
        "no key, and no role",
        "store",
        "there are no credentials",
        "set GATEWAY_S3_ACCESS_KEY_ID and GATEWAY_S3_SECRET_ACCESS_KEY, or give this machine a"
        " role",
        settings(
            S3_ACCESS_KEY_ID=None,
            S3_SECRET_ACCESS_KEY=None,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        ),
    ),
    Case(
        "a session token that has ended",
        "store",
        "the store answered ExpiredToken",
        "renew GATEWAY_S3_SESSION_TOKEN and the key that it belongs to",
        store_answers(b"^PUT ", b"400 Bad Request", "ExpiredToken"),
    ),
    Case(
        "no such bucket",
        "store",
        "there is no bucket",
        "create the bucket, or correct GATEWAY_S3_BUCKET",
        settings(S3_BUCKET="nowhere"),
    ),
    Case(
        "the wrong region",
        "store",
        "the store answered AuthorizationHeaderMalformed",
        "set GATEWAY_S3_REGION to the region of the bucket",
        store_answers(b"^(PUT|HEAD) ", b"400 Bad Request", "AuthorizationHeaderMalformed"),
    ),
    Case(
        "a key that may only read",
        "store",
        "the store answered AccessDenied",
        "let the key get, put and delete objects, and list the bucket",
        store_answers(b"^(PUT|POST|DELETE) ", b"403 Forbidden", "AccessDenied"),
    ),
    Case(
        "its disk is full",
        "store",
        "the store answered InternalError",
        "look into the store's log, and make room if its disk is full",
        store_answers(b"^(PUT|POST) ", b"500 Internal Server Error", "InternalError"),
        slow=True,
    ),
    Case(
        "it has too much to do",
        "store",
        "the store answered SlowDown",
        "the store is overloaded: try again, and raise what it may take",
        store_answers(b"^(PUT|POST) ", b"503 Slow Down", "SlowDown"),
        slow=True,
    ),
    Case(
        "no conditional writes",
        "store",
        "the store ignores the conditions of writes (If-None-Match, If-Match)",
        "use a store that heeds them, or have the proxy before it pass them on",
        store_without_conditions,
    ),
    Case(
        "it does not know a HEAD with checksums",
        "store",
        "the store answered 501 to a HEAD that asks for checksums (x-amz-checksum-mode)",
        "use a newer version of the store, or another one",
        store_answers(rb"^HEAD /[^/ ]+/[^/ ]", b"501 Not Implemented"),
    ),
    Case(
        "wrong checksums of files in several parts (moto 5.2)",
        "store",
        "the store tells a wrong checksum of a file in two parts, so that hosted files above 8 MiB"
        " would be refused as corrupt",
        "use another version of it, or another store",
        store_with_wrong_checksums,
    ),
    Case(
        "a proxy that changes host or query",
        "store",
        "a presigned URL is answered with 403",
        "have the proxy before the store leave host and query of a request as they are, or set"
        " GATEWAY_SERVE_FILES=stream",
        store_answers(rb"(?i)^GET \S*x-amz-signature", b"403 Forbidden"),
    ),
    Case(
        "this machine's clock is 20 minutes ahead",
        "store",
        "the store answered RequestTimeTooSkewed",
        "set the clock of this machine by NTP",
        settings(CLOCK_OFF_BY="1200"),
        slow=True,
    ),
]

# --- Redis --------------------------------------------------------------------------------------


def own(*options: str, user: str = "", database: int = 0) -> Break:
    """A Redis that was started so, and what its URL has beside the address."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        with own_redis(ground.directory, *options) as address:
            yield {"REDIS_URL": f"redis://{user}{address}/{database}"}

    return broken


def redis_url(template: str) -> Break:
    """A wrong URL of the Redis that works."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        yield {"REDIS_URL": template.format(ground.redis)}

    return broken


@asynccontextmanager
async def redis_with_few_rights(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory) as address, Redis.from_url(f"redis://{address}") as redis:
        commands = ["+@all", "-@scripting"]
        redis.acl_setuser("clerk", enabled=True, nopass=True, keys=["*"], commands=commands)
        yield {"REDIS_URL": f"redis://clerk:any@{address}/0"}


@asynccontextmanager
async def full_redis(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory, "--maxmemory", "1") as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def old_redis(ground: Ground) -> AsyncIterator[Changes]:
    async with called(ground.redis, "5.0.9") as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def sentinel_as_redis(ground: Ground) -> AsyncIterator[Changes]:
    with sentinel(ground.directory) as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def replica(ground: Ground) -> AsyncIterator[Changes]:
    host, _, port = ground.redis.partition(":")
    with own_redis(ground.directory, "--replicaof", f"{host} {port}") as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def redis_behind_tls(ground: Ground) -> AsyncIterator[Changes]:
    async with behind_tls(ground.redis, ground.directory) as address:
        yield {"REDIS_URL": f"rediss://{address}/0"}


@asynccontextmanager
async def redis_without_tls_to_tls(ground: Ground) -> AsyncIterator[Changes]:
    async with behind_tls(ground.redis, ground.directory) as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def redis_is_a_website(_: Ground) -> AsyncIterator[Changes]:
    async with website() as url:
        yield {"REDIS_URL": url.replace("http:", "redis:")}


@asynccontextmanager
async def frozen_redis(_: Ground) -> AsyncIterator[Changes]:
    async with silent() as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


REDIS: Final = [
    Case(
        "nothing runs there",
        "redis",
        "nothing listens at the address of Redis",
        "start it, or correct GATEWAY_REDIS_URL",
        settings(REDIS_URL=f"redis://{NOWHERE}"),
    ),
    Case(
        "it stands still, or a firewall swallows what is sent",
        "redis",
        "Redis does not answer in time",
        "start it again if it hangs, let this machine connect to it, or correct GATEWAY_REDIS_URL"
        " (host, port, TLS or not)",
        frozen_redis,
        slow=True,
    ),
    Case(
        "something else in its place",
        "redis",
        "what listens there is no Redis",
        "correct GATEWAY_REDIS_URL",
        redis_is_a_website,
    ),
    Case(
        "a wrong password",
        "redis",
        "refuses the password or the user",
        "correct GATEWAY_REDIS_PASSWORD and GATEWAY_REDIS_USERNAME",
        own("--requirepass", "right", user=":wrong@"),
    ),
    Case(
        "no password where it wants one",
        "redis",
        "asks for a password",
        "set GATEWAY_REDIS_PASSWORD",
        own("--requirepass", "right"),
    ),
    Case(
        "a user with too few rights",
        "redis",
        "refuses a command or key that gateways need",
        "give its user the rights of docs/redis.md",
        redis_with_few_rights,
    ),
    Case(
        "no such database",
        "redis",
        "has no database of that number",
        "correct the end of GATEWAY_REDIS_URL",
        redis_url("redis://{}/99999"),
    ),
    Case(
        "it is full",
        "redis",
        "is full",
        "raise its maxmemory, or remove what else is in it",
        full_redis,
    ),
    Case(
        "too few replicas for its own rule",
        "redis",
        "has too few replicas to take writes",
        "start them, or lower min-replicas-to-write",
        own("--min-replicas-to-write", "1"),
    ),
    Case(
        "a replica",
        "redis",
        "is a replica, which takes no writes",
        "name the primary, or its sentinels",
        replica,
    ),
    Case(
        "it throws queues away where it is full",
        "redis",
        "maxmemory-policy is allkeys-lru, which throws away queues and locks",
        "set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration)",
        own("--maxmemory-policy", "allkeys-lru"),
    ),
    Case(
        "an old version",
        "redis",
        "version 5.0… is too old",
        "use Redis 6.2, or any Valkey",
        old_redis,
    ),
    Case(
        "a sentinel by the URL of a server",
        "redis",
        "is a sentinel, which keeps no data",
        "write redis+sentinel://HOST:PORT,…/MASTER for it, or name the primary",
        sentinel_as_redis,
    ),
    Case(
        "a cluster",
        "redis",
        "is a cluster",
        "Celery and the gateway's scripts take several keys at a time, which a cluster keeps on"
        " different servers; use one primary, with replicas and Sentinel if it is to fail over",
        own("--cluster-enabled", "yes"),
    ),
    Case(
        "rediss:// to a port without TLS",
        "redis",
        "Redis does not answer in time",
        "start it again if it hangs, let this machine connect to it, or correct GATEWAY_REDIS_URL"
        " (host, port, TLS or not)",
        redis_url("rediss://{}/0"),
        slow=True,
    ),
    Case(
        "redis:// to a port with TLS",
        "redis",
        "breaks connections without an answer",
        "correct the scheme (TLS or not) and the port in GATEWAY_REDIS_URL",
        redis_without_tls_to_tls,
    ),
    Case(
        "a certificate of an unknown authority",
        "redis",
        "the certificate of Redis cannot be verified (…)",
        "name its authority in GATEWAY_REDIS_CA_FILE, and the host in GATEWAY_REDIS_URL as in the"
        " certificate",
        redis_behind_tls,
    ),
]

# --- the broker ---------------------------------------------------------------------------------


@asynccontextmanager
async def broker_of_others(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory) as address:
        with Connection(f"redis://{address}/0") as another:
            Queue("celery", Exchange("celery"), "celery")(another.channel()).declare()
        yield {"BROKER_URL": f"redis://{address}/0"}


@asynccontextmanager
async def broker_with_a_password(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory, "--requirepass", "right") as address:
        yield {"BROKER_URL": f"redis://:wrong@{address}/0"}


def rabbitmq_url(change: str, to: str) -> Break:
    """RabbitMQ by a URL of which a part is wrong."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        url: str = ground.server("rabbitmq").url
        assert change in url
        yield {"BROKER_URL": url.replace(change, to)}

    return broken


@asynccontextmanager
async def queues_of_another_type(ground: Ground) -> AsyncIterator[Changes]:
    with ground.server("rabbitmq").lend_vhost() as url:
        with Connection(url) as connection:
            Queue("uploads.inspect", Exchange("uploads"))(connection.channel()).declare()
        yield {"BROKER_URL": url, "BROKER_QUEUE_TYPE": "quorum"}


@asynccontextmanager
async def queues_with_other_arguments(ground: Ground) -> AsyncIterator[Changes]:
    with ground.server("rabbitmq").lend_vhost() as url:
        with Connection(url) as connection:
            Queue("uploads.inspect", Exchange("uploads"), max_length=9)(
                connection.channel()
            ).declare()
        yield {"BROKER_URL": url}


@asynccontextmanager
async def rabbitmq_with_an_alarm(ground: Ground) -> AsyncIterator[Changes]:
    node = ground.server("rabbitmq")
    with node.memory_alarm():
        yield {"BROKER_URL": node.url}


def rabbitmq_user(name: str, *may: str) -> Break:
    """A user who may configure, write and read what has such names; without any, nothing."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        node = ground.server("rabbitmq")
        node.control("add_user", name, "secret")
        try:
            if may:
                node.control("set_permissions", "-p", "/", name, *may)
            yield {"BROKER_URL": node.url.replace("guest:guest", f"{name}:secret")}
        finally:
            node.control("delete_user", name)

    return broken


BROKER: Final = [
    Case(
        "a Redis of its own, with a wrong password",
        "broker",
        "refuses the password or the user",
        "correct the password in GATEWAY_BROKER_URL and the user in GATEWAY_BROKER_URL",
        broker_with_a_password,
    ),
    Case(
        "nothing runs there",
        "broker",
        "nothing listens at the broker's address",
        "start it, or check GATEWAY_BROKER_URL",
        settings(BROKER_URL=f"amqp://guest:guest@{NOWHERE}//"),
    ),
    Case(
        "RabbitMQ, with a wrong password",
        "broker",
        "RabbitMQ refuses the user or the password",
        "check GATEWAY_BROKER_URL, in which both are percent-encoded (guest may log in from"
        " RabbitMQ's own machine only)",
        rabbitmq_url("guest:guest", "guest:wrong"),
        slow=True,
    ),
    Case(
        "RabbitMQ, with a wrong virtual host",
        "broker",
        "RabbitMQ has no virtual host elsewhere",
        "create it (rabbitmqctl add_vhost), or change the path of GATEWAY_BROKER_URL (the virtual"
        " host / is written %2F)",
        rabbitmq_url("%2F", "elsewhere"),
        slow=True,
    ),
    Case(
        "RabbitMQ, whose queues are there and of another type",
        "broker",
        "queue uploads.inspect exists as a classic queue",
        "set GATEWAY_BROKER_QUEUE_TYPE=classic, or stop gateways and workers, and delete the queue"
        " (rabbitmqctl delete_queue -p … uploads.inspect); the sweeper resumes the uploads whose"
        " tasks are in it",
        queues_of_another_type,
        slow=True,
    ),
    Case(
        "RabbitMQ, whose queues are there with other arguments",
        "broker",
        "queue 'uploads.inspect' exists with another x-max-length in the virtual host …",
        "delete it, or give the gateway a virtual host of its own",
        queues_with_other_arguments,
        slow=True,
    ),
    Case(
        "RabbitMQ, with an alarm for memory or disk",
        "broker",
        "RabbitMQ does not answer, because it has an alarm for memory or disk, or hangs",
        "look at its alarms (rabbitmqctl status), and make room, or start it again",
        rabbitmq_with_an_alarm,
        slow=True,
    ),
    Case(
        "RabbitMQ, whose user may not enter the virtual host",
        "broker",
        "RabbitMQ does not let stranger into the virtual host /",
        "rabbitmqctl set_permissions -p / stranger …",
        rabbitmq_user("stranger"),
        slow=True,
    ),
    Case(
        "RabbitMQ, whose user may not configure",
        "broker",
        "RabbitMQ does not let clerk use queue 'uploads.probe.…'",
        "rabbitmqctl set_permissions -p / clerk …",
        rabbitmq_user("clerk", "^$", ".*", ".*"),
        slow=True,
    ),
    Case(
        "RabbitMQ, whose user may not write",
        "broker",
        "RabbitMQ does not let reader use exchange 'amq.default'",
        "rabbitmqctl set_permissions -p / reader …",
        rabbitmq_user("reader", ".*", "^$", ".*"),
        slow=True,
    ),
    Case(
        "RabbitMQ, whose user may not read",
        "broker",
        "RabbitMQ does not let writer use queue 'uploads.probe.…'",
        "rabbitmqctl set_permissions -p / writer …",
        rabbitmq_user("writer", ".*", ".*", "^$"),
        slow=True,
    ),
    Case(
        "another application's Celery in the same database",
        ADVICE,
        "another Celery application uses this one, and its workers hand tasks of ours out again"
        " after a visibility timeout that is not ours",
        "set GATEWAY_REDIS_PREFIX, or give the broker a database of its own",
        broker_of_others,
    ),
]

# --- gateways and workers that run --------------------------------------------------------------


def running_with(**of_worker: str) -> Break:
    """A gateway runs with the same settings, and a worker with others."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        with own_redis(ground.directory) as address:
            async with AsyncRedis.from_url(f"redis://{address}/0") as redis:
                for role, changes in ((Role.GATEWAY, {}), (Role.WORKER, of_worker)):
                    settings = load(changed(ground.environ, changes))
                    await running(redis, announcement(settings, role))
            yield {"REDIS_URL": f"redis://{address}/0"}

    return broken


_ALL_THE_SAME: Final = "give all gateways and workers the same, and restart them"
AGREEMENT: Final = [
    Case(
        "two secret keys",
        "agreement",
        "worker … runs with another GATEWAY_SECRET_KEY than these settings",
        _ALL_THE_SAME,
        running_with(SECRET_KEY=Fernet.generate_key().decode()),
        slow=True,
    ),
    Case(
        "two buckets",
        "agreement",
        "worker … runs with another GATEWAY_S3_BUCKET than these settings",
        _ALL_THE_SAME,
        running_with(S3_BUCKET="another"),
        slow=True,
    ),
]

# --- ChatKitty ----------------------------------------------------------------------------------


def upstream_is(
    status: bytes = b"200 OK", body: bytes = b"<html>", headers: bytes = b"Content-Type: text/html"
) -> Break:
    """Something else at the address of ChatKitty."""

    @asynccontextmanager
    async def broken(_: Ground) -> AsyncIterator[Changes]:
        async with website(status, body, headers) as url:
            yield {"UPSTREAM_URL": url}

    return broken


@asynccontextmanager
async def token_url_is_a_website(_: Ground) -> AsyncIterator[Changes]:
    async with website() as url:
        yield {"UPSTREAM_TOKEN_URL": url, "UPSTREAM_CLIENT_ID": "by a website"}


@asynccontextmanager
async def wrong_client(_: Ground) -> AsyncIterator[Changes]:
    async with website(b"401 Unauthorized", b'{"error": "invalid_client"}') as url:
        yield {"UPSTREAM_TOKEN_URL": url, "UPSTREAM_CLIENT_ID": "nobody knows"}


@asynccontextmanager
async def upstream_by_tls_to_http(ground: Ground) -> AsyncIterator[Changes]:
    yield {"UPSTREAM_URL": f"https://{ground.upstream}"}


@asynccontextmanager
async def upstream_behind_tls(ground: Ground) -> AsyncIterator[Changes]:
    async with behind_tls(ground.upstream, ground.directory) as address:
        yield {"UPSTREAM_URL": f"https://{address}"}


@asynccontextmanager
async def limited_client(ground: Ground) -> AsyncIterator[Changes]:
    """A client whose token may not register files."""
    url = ground.environ["GATEWAY_UPSTREAM_TOKEN_URL"]
    as_limited = {"Authorization": aiohttp.encode_basic_auth("limited", "secret")}
    asked = {"grant_type": "client_credentials", "scope": "read:application read:channel"}
    async with (
        aiohttp.ClientSession(headers=as_limited) as session,
        session.post(url, data=asked) as answer,
    ):
        limited = json.dumps(await answer.json()).encode()
    async with website(b"200 OK", limited, b"Content-Type: application/json") as tokens:
        yield {"UPSTREAM_TOKEN_URL": tokens, "UPSTREAM_CLIENT_ID": "limited"}


UPSTREAM: Final = [
    Case(
        "nothing listens there",
        "upstream",
        "nothing listens at the address of ChatKitty",
        "start it, or correct GATEWAY_UPSTREAM_URL",
        settings(UPSTREAM_URL=f"http://{NOWHERE}"),
    ),
    Case(
        "https:// to a port without TLS",
        "upstream",
        "ChatKitty does not speak TLS, or another one",
        "correct the scheme and the port in GATEWAY_UPSTREAM_URL",
        upstream_by_tls_to_http,
    ),
    Case(
        "a certificate of an unknown authority (a proxy that reads along)",
        "upstream",
        "the certificate of ChatKitty cannot be verified (…)",
        "name its authority in SSL_CERT_FILE, and the host in GATEWAY_UPSTREAM_URL as in the"
        " certificate",
        upstream_behind_tls,
    ),
    Case(
        "a wrong URL, where something else answers HTML",
        "upstream",
        "ChatKitty's answer is no JSON object",
        "correct GATEWAY_UPSTREAM_URL",
        upstream_is(),
    ),
    Case(
        "a wrong URL, where nothing is found",
        "upstream",
        "ChatKitty answered 404, which ChatKitty does not",
        "correct GATEWAY_UPSTREAM_URL",
        upstream_is(b"404 Not Found"),
    ),
    Case(
        "http:// where there is https://",
        "upstream",
        "ChatKitty answered 301, which leads elsewhere",
        "correct GATEWAY_UPSTREAM_URL, most likely to https://",
        upstream_is(b"301 Moved Permanently"),
    ),
    Case(
        "ChatKitty has an outage",
        "upstream",
        "ChatKitty answered 503",
        "wait, and look at ChatKitty's own status page",
        upstream_is(b"503 Service Unavailable"),
    ),
    Case(
        "wrong client credentials",
        "upstream",
        "ChatKitty refused the gateway's own credentials (401)",
        "correct GATEWAY_UPSTREAM_CLIENT_ID and GATEWAY_UPSTREAM_CLIENT_SECRET",
        wrong_client,
    ),
    Case(
        "a wrong URL for tokens",
        "upstream",
        "ChatKitty's token endpoint gave no token",
        "correct GATEWAY_UPSTREAM_TOKEN_URL",
        token_url_is_a_website,
    ),
    Case(
        "a client that may not register files",
        "upstream",
        "the gateway's own token may not register files at /v1/channels/0/messages",
        "let its client create:message, read:channel and read:user",
        limited_client,
    ),
]

# --- whoever vouches for tokens -----------------------------------------------------------------


def keys_are(body: bytes, status: bytes = b"200 OK") -> Break:
    """What the identity provider publishes in the place of its keys."""

    @asynccontextmanager
    async def broken(_: Ground) -> AsyncIterator[Changes]:
        async with website(status, body, b"Content-Type: application/json") as url:
            yield _jwt(url)

    return broken


def _jwt(url: str) -> Changes:
    return {
        "AUTH": "jwt",
        "AUTH_JWKS_URL": url,
        "AUTH_ISSUER": "https://issuer.example",
        "AUTH_AUDIENCE": "uploads",
    }


def introspection_is(body: bytes, status: bytes = b"200 OK") -> Break:
    """What the identity provider says of a token."""

    @asynccontextmanager
    async def broken(_: Ground) -> AsyncIterator[Changes]:
        async with website(status, body, b"Content-Type: application/json") as url:
            yield {"AUTH": "introspection", "AUTH_INTROSPECTION_URL": url}

    return broken


_NO_KEYS: Final = "the identity provider's keys could not be fetched"
VERIFIERS: Final = [
    Case(
        "the identity provider is away",
        "jwt",
        "nothing listens at the address of the identity provider",
        "start it, or correct GATEWAY_AUTH_JWKS_URL",
        settings(**_jwt(f"http://{NOWHERE}")),
    ),
    Case(
        "no keys are published there",
        "jwt",
        f"{_NO_KEYS}: none in the set is usable",
        "have the identity provider publish a key for one of GATEWAY_AUTH_ALGORITHMS, or correct"
        " GATEWAY_AUTH_JWKS_URL",
        keys_are(b'{"keys": []}'),
    ),
    Case(
        "a wrong URL, where nothing is found",
        "jwt",
        f"{_NO_KEYS}: answer 404",
        "correct GATEWAY_AUTH_JWKS_URL",
        keys_are(b"{}", b"404 Not Found"),
    ),
    Case(
        "a wrong URL, where something else answers",
        "jwt",
        f"{_NO_KEYS}: the answer is not a key set",
        "correct GATEWAY_AUTH_JWKS_URL",
        keys_are(b"<html>"),
    ),
    Case(
        "the identity provider is away",
        "introspection",
        "nothing listens at the address of the identity provider",
        "start it, or correct GATEWAY_AUTH_INTROSPECTION_URL",
        settings(AUTH="introspection", AUTH_INTROSPECTION_URL=f"http://{NOWHERE}"),
    ),
    Case(
        "wrong credentials",
        "introspection",
        "answer 401",
        "correct GATEWAY_AUTH_INTROSPECTION_CLIENT_ID and GATEWAY_AUTH_INTROSPECTION_CLIENT_SECRET",
        introspection_is(b"{}", b"401 Unauthorized"),
    ),
    Case(
        "a wrong URL",
        "introspection",
        "answer 200 does not say whether a token is active",
        "correct GATEWAY_AUTH_INTROSPECTION_URL",
        introspection_is(b"<html>"),
    ),
    Case(
        "it calls any token good",
        "introspection",
        "an invented token is called active",
        "do not trust GATEWAY_AUTH_INTROSPECTION_URL",
        introspection_is(b'{"active": true}'),
    ),
]

# --- the machine --------------------------------------------------------------------------------


@asynccontextmanager
async def few_descriptors(_: Ground) -> AsyncIterator[Changes]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_023, before[1]))
    try:
        yield {}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def no_libmagic(ground: Ground) -> AsyncIterator[Changes]:
    stand_in = ground.directory / "magic.py"
    stand_in.write_text("raise ImportError('failed to find libmagic')\n")
    yield {"PYTHONPATH": f"{ground.directory}{os.pathsep}{Path.cwd()}"}


HOST_CASES: Final = [
    Case(
        "the clock is two minutes ahead",
        "clock",
        "this machine's clock is 1… s ahead of that of the upstream",
        "have both set theirs by NTP",
        settings(CLOCK_OFF_BY="120"),
    ),
    Case(
        "few file descriptors",
        "descriptors",
        "a process may open 1023 files and sockets only",
        "raise the limit (ulimit -n 65536; systemd: LimitNOFILE=65536)",
        few_descriptors,
    ),
    Case(
        "no libmagic",
        "libmagic",
        "…failed to find libmagic",
        "install libmagic (Debian: libmagic1) or the Python package pylibmagic",
        no_libmagic,
    ),
]

CASES: Final = [*STORE, *REDIS, *BROKER, *AGREEMENT, *UPSTREAM, *VERIFIERS, *HOST_CASES]
