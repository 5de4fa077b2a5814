"""Broken set-ups of the store."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.doctor.ground import NOWHERE, Break, Case, Changes, Ground, settings
from tests.doctor.wires import behind_tls, silent, website


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
async def store_ignorant_of_conditions(ground: Ground) -> AsyncIterator[Changes]:
    async with ground.store_proxy() as proxy:
        proxy.ignorant = True
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
    ),
    Case(
        "a misspelt host",
        "store",
        "the host name of the store cannot be resolved",
        "correct GATEWAY_S3_ENDPOINT_URL, or fix DNS",
        settings(S3_ENDPOINT_URL="http://store.invalid"),
    ),
    Case(
        "it hangs, or a firewall drops packets",
        "store",
        "the store does not answer in time",
        "restart it if it hangs, allow this machine to connect to it, or correct"
        " GATEWAY_S3_ENDPOINT_URL (host, port, TLS or not)",
        frozen_store,
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
        "the store does not speak TLS, or only another version of it",
        "correct the scheme and the port in GATEWAY_S3_ENDPOINT_URL",
        store_by_tls_to_http,
    ),
    Case(
        "http:// to a port with TLS",
        "store",
        "the store breaks connections without an answer",
        "correct the scheme (TLS or not) and the port in GATEWAY_S3_ENDPOINT_URL",
        store_by_http_to_tls,
    ),
    Case(
        "a certificate of an unknown authority",
        "store",
        "the certificate of the store cannot be verified (…)",
        "name the file of its CA in AWS_CA_BUNDLE, and use the certificate's host name in"
        " GATEWAY_S3_ENDPOINT_URL",
        store_behind_tls,
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
        "a session token that has expired",
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
        "allow the key to get, put and delete objects, and to list the bucket",
        store_answers(b"^(PUT|POST|DELETE) ", b"403 Forbidden", "AccessDenied"),
    ),
    Case(
        "its disk is full",
        "store",
        "the store answered InternalError",
        "look into the store's log, and make room if its disk is full",
        store_answers(b"^(PUT|POST) ", b"500 Internal Server Error", "InternalError"),
    ),
    Case(
        "it is overloaded",
        "store",
        "the store answered SlowDown",
        "the store is overloaded: try again, and raise its limits",
        store_answers(b"^(PUT|POST) ", b"503 Slow Down", "SlowDown"),
    ),
    Case(
        "no conditional writes",
        "store",
        "the store does not honour conditional writes (If-None-Match, If-Match)",
        "use a store that honours them, or have the proxy in front of it forward them",
        store_without_conditions,
    ),
    Case(
        "conditional writes are answered 501",
        "store",
        "the store does not honour conditional writes (If-None-Match, If-Match)",
        "use a store that honours them, or have the proxy in front of it forward them",
        store_ignorant_of_conditions,
    ),
    Case(
        "it does not support a HEAD with checksums",
        "store",
        "the store answered 501 to a HEAD that asks for checksums (x-amz-checksum-mode)",
        "use a newer version of the store, or another one",
        store_answers(rb"^HEAD /[^/ ]+/[^/ ]", b"501 Not Implemented"),
    ),
    Case(
        "wrong checksums of files in several parts (moto 5.2)",
        "store",
        "the store returns a wrong checksum for a file in two parts, so hosted files above 8 MiB"
        " would be refused as corrupt",
        "use another version of it, or another store",
        store_with_wrong_checksums,
    ),
    Case(
        "a proxy that changes host or query",
        "store",
        "a presigned URL is answered with 403",
        "have the proxy in front of the store forward host and query unchanged, or set"
        " GATEWAY_SERVE_FILES=stream",
        store_answers(rb"(?i)^GET \S*x-amz-signature", b"403 Forbidden"),
    ),
    Case(
        "this machine's clock is 20 minutes ahead",
        "store",
        "the store answered RequestTimeTooSkewed",
        "set the clock of this machine by NTP",
        settings(CLOCK_OFF_BY="1200"),
    ),
]
