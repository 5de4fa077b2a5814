"""Broken set-ups of ChatKitty."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from tests.doctor.ground import NOWHERE, Break, Case, Changes, Ground, settings
from tests.doctor.wires import behind_tls, website


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
        "ChatKitty does not speak TLS, or only another version of it",
        "correct the scheme and the port in GATEWAY_UPSTREAM_URL",
        upstream_by_tls_to_http,
    ),
    Case(
        "a certificate of an unknown authority (a proxy that intercepts TLS)",
        "upstream",
        "the certificate of ChatKitty cannot be verified (…)",
        "name the file of its CA in SSL_CERT_FILE, and use the certificate's host name in"
        " GATEWAY_UPSTREAM_URL",
        upstream_behind_tls,
    ),
    Case(
        "a wrong URL, at which something else answers HTML",
        "upstream",
        "ChatKitty's answer is not a JSON object",
        "correct GATEWAY_UPSTREAM_URL",
        upstream_is(),
    ),
    Case(
        "a wrong URL, at which nothing is found",
        "upstream",
        "ChatKitty answered 404, so this is probably not ChatKitty",
        "correct GATEWAY_UPSTREAM_URL",
        upstream_is(b"404 Not Found"),
    ),
    Case(
        "http:// instead of https://",
        "upstream",
        "ChatKitty answered 301, which is a redirect",
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
        "ChatKitty's token endpoint returned no token",
        "correct GATEWAY_UPSTREAM_TOKEN_URL",
        token_url_is_a_website,
    ),
    Case(
        "a client that may not register files",
        "upstream",
        "the gateway's own token may not register files at /v1/channels/0/messages",
        "give its client the scopes create:message, read:channel and read:user",
        limited_client,
    ),
]
