"""A proxy in front of the store, which delays single requests on demand, and lets time pass."""

import asyncio
import re
import threading
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final, Self

from gateway.stack.ports import HOST

_AT_ONCE: Final = 64 * 1024
_HEAD: Final = b"HTTP/1.1 "
_DATE: Final = re.compile(rb"(?i)(?<=\r\nDate: )[^\r]*(?=\r\n)")
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Front:
    """A proxy in its own thread, which runs inside the block."""

    def __init__(self, port: int, store_port: int) -> None:
        """Listen on `port` for the store on `store_port`, both of this machine."""
        self._port, self._store_port = port, store_port
        self._delays: deque[tuple[float, bool]] = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self.ahead = 0.0
        """Seconds by which the store's clock is ahead: everything in it seems that much older."""

    def delay(self, seconds: float, *, answer: bool) -> None:
        """Delay one of the next requests, or its `answer`, by `seconds`."""
        self._delays.append((seconds, answer))

    def clear(self) -> None:
        """Delay no further requests."""
        self._delays.clear()

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        self._do(asyncio.start_server(self._accept, HOST, self._port))
        return self

    def __exit__(self, *_: object) -> None:
        """Cut all connections."""
        self._do(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _cut(self) -> None:
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        if connection is not None:
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)
        try:
            with suppress(OSError):
                from_store, to_store = await asyncio.open_connection(HOST, self._store_port)
                await self._relay(reader, writer, from_store, to_store)
        finally:
            writer.transport.abort()

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_store: asyncio.StreamReader,
        to_store: asyncio.StreamWriter,
    ) -> None:
        """Copy both ways. A request reaches the store even if its sender disconnects."""
        open_again = asyncio.Event()
        open_again.set()
        answers = asyncio.create_task(self._copy_answers(from_store, writer, open_again))
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                seconds, of_answer = self._delays.popleft() if self._delays else (0.0, False)
                if seconds and not of_answer:
                    await asyncio.sleep(seconds)
                elif seconds:
                    open_again.clear()
                    asyncio.get_running_loop().call_later(seconds, open_again.set)
                to_store.write(head)
                await _copy_body(head, reader, to_store)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            if to_store.can_write_eof():
                with suppress(OSError):
                    to_store.write_eof()
            with suppress(OSError):
                await answers

    async def _copy_answers(
        self,
        from_store: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        open_again: asyncio.Event,
    ) -> None:
        while data := await from_store.read(_AT_ONCE):
            await open_again.wait()
            writer.write(_later(data, self.ahead))
            await writer.drain()
        writer.transport.abort()


async def _copy_body(
    head: bytes, reader: asyncio.StreamReader, to_store: asyncio.StreamWriter
) -> None:
    found = _LENGTH.search(head)
    left = int(found[1]) if found else 0
    while left:
        data = await reader.read(min(left, _AT_ONCE))
        if not data:
            to_store.transport.abort()
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(data)
        to_store.write(data)
        await to_store.drain()


def _later(data: bytes, seconds: float) -> bytes:
    """What the store sends, with the date of an answer that many seconds later."""
    end = data.find(b"\r\n\r\n")
    if seconds == 0 or end < 0 or not data.startswith(_HEAD):
        return data
    head = _DATE.sub(lambda found: _moved(found[0], seconds), data[: end + 2])
    return head + data[end + 2 :]


def _moved(date: bytes, seconds: float) -> bytes:
    moved = parsedate_to_datetime(date.decode()) + timedelta(seconds=seconds)
    return format_datetime(moved, usegmt=True).encode()
