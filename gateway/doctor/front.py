"""What stands in front of the gateways: whether it passes interim responses on."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from pydantic import HttpUrl

from gateway.doctor.network import Server, why_unreachable
from gateway.errors import ConfigurationError
from gateway.heads import FINAL

_PLACE: Final = "/gateway/raw/v1/channels/0/messages"
_ASKS_FOR_ONE: Final = "Upload-Draft-Interop-Version: 8\r\n"
_SECONDS: Final = 5.0
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_WITH: Final = (104, 204, None)
_WITHOUT: Final = (204, None)
_SERVER: Final = Server("the proxy in front of the gateways", "GATEWAY_PUBLIC_URL")
_NONE_ARRIVES: Final = (
    "switch GATEWAY_INTERIM_RESPONSES off, or have the proxy in front of the gateways pass interim"
    " responses on: none arrived (gateways that run without that setting send none)"
)
_NOT_FOUND_OUT: Final = "doctor could not find out from here whether interim responses pass through"


async def check_front(url: HttpUrl) -> Sequence[str]:
    """Ask for an interim response at the URL that clients use. Returns advice.

    nginx passes it and the answer on as one answer without an end: both arrive, and the connection
    is not closed behind them. Raises ConfigurationError then.
    """
    try:
        plain = await _responses(url)
    except OSError as error:
        return [f"{why_unreachable(error, _SERVER) or error!r} ({_NOT_FOUND_OUT})"]
    if plain != _WITHOUT:
        return [f"correct GATEWAY_PUBLIC_URL, at which no gateway answers ({_NOT_FOUND_OUT})"]
    try:
        found = await _responses(url, _ASKS_FOR_ONE)
    except OSError:
        found = ()
    if found == _WITH:
        return []
    if found == _WITHOUT:
        return [_NONE_ARRIVES]
    raise ConfigurationError(
        "the proxy in front of the gateways mistakes an interim response for the final answer,"
        " which breaks uploads: switch GATEWAY_INTERIM_RESPONSES off, or replace the proxy"
        " (docs/resumable.md)"
    )


async def _responses(url: HttpUrl, fields: str = "") -> tuple[int | None, ...]:
    """The statuses of the responses to a request, and None for the end of the connection.

    Those that do not come in time are left out. Raises OSError.
    """
    head = f"OPTIONS {(url.path or '').rstrip('/')}{_PLACE} HTTP/1.1\r\nHost: {url.host}:{url.port}"
    found: list[int | None] = []
    async with _connection(url) as (reader, writer):
        writer.write(f"{head}\r\nConnection: close\r\n{fields}\r\n".encode())
        with suppress(TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_SECONDS):
                while (status := _STATUS.match(await reader.readuntil(b"\r\n\r\n"))) is not None:
                    found.append(int(status[1]))
                    if int(status[1]) >= FINAL:
                        await reader.read()
                        found.append(None)
                        break
    return tuple(found)


@asynccontextmanager
async def _connection(
    url: HttpUrl,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    context = ssl.create_default_context() if url.scheme == "https" else None
    async with asyncio.timeout(_SECONDS):
        host = (url.host or "").strip("[]")
        reader, writer = await asyncio.open_connection(host, url.port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.close()
