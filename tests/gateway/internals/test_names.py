"""Names of other libraries that are not public, and are used: each has to be there."""

import asyncio
from asyncio import selector_events, sslproto

import aiohttp
import pytest
from aiobotocore.client import AioBaseClient  # noqa: TID251
from aiobotocore.httpsession import AIOHTTPSession  # noqa: TID251
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter
from aiohttp.test_utils import make_mocked_request
from aiohttp.web_protocol import RequestHandler
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import Connection

from gateway.internals.aiohttp import PARSER_BUFFER, Unreadable
from gateway.internals.redis_py import AsyncHiredisParser, HiredisParser

OF_CLASSES = [
    (AioBaseClient, ["_resolve_endpoint_ruleset"]),
    (RequestHandler, ["_loop", "_messages", "_parser", "_resume_transport_reading", "_waiter"]),
    (
        BaseProtocol,
        ["_loop", "_parser", "_paused", "_pause_transport_reading", "_resume_transport_reading"],
    ),
    (aiohttp.ClientRequest, ["_get_content_length", "_writer"]),
    (Connection, ["_connect", "_connection_arguments"]),
    (kombu_redis.Channel, ["_connparams"]),
    (virtual.Channel, ["_put"]),
    (selector_events._SelectorSocketTransport, ["max_size"]),  # type: ignore[attr-defined]
    (AsyncHiredisParser, ["parse_error"]),
    (HiredisParser, ["parse_error"]),
]


@pytest.mark.parametrize(("owner", "names"), OF_CLASSES)
def test_a_class_has_the_private_names_that_are_used(owner: type, names: list[str]) -> None:
    assert [name for name in names if not hasattr(owner, name)] == []


def test_a_transport_with_tls_has_the_private_names_that_are_used() -> None:
    made = sslproto._SSLProtocolTransport.__init__
    assert "_ssl_protocol" in made.__code__.co_names


async def test_objects_have_the_private_names_that_are_used() -> None:
    loop = asyncio.get_running_loop()
    protocol = ResponseHandler(loop)
    pool = BlockingConnectionPool()
    async with aiohttp.TCPConnector() as connector:
        for owner, names in (
            (connector, ["_factory"]),
            (protocol, ["_drop_timeout", "_parser", "_should_close"]),
            (StreamWriter(protocol, loop), ["_headers_buf", "_headers_written"]),
            (make_mocked_request("GET", "/"), ["_version"]),
            (aiohttp.StreamReader(protocol, PARSER_BUFFER), ["_read_nowait"]),
            (Connection(), ["_writer"]),
            (pool, ["_available_connections", "_in_use_connections"]),
            (AIOHTTPSession(), ["_get_session", "_proxy_config", "_timeout"]),
        ):
            assert [name for name in names if not hasattr(owner, name)] == [], owner


def test_a_fault_of_a_head_has_its_status_error_and_text() -> None:
    fault = ValueError("text")
    made = Unreadable(400, fault, "text")
    assert (made.status, made.exc, made.message) == (400, fault, "text")
