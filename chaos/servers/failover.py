"""One address of Redis that can lead to another server; open connections stay where they are."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from queue import Queue
from threading import Thread
from typing import Self

import hiredis
from redis.asyncio import Redis

from chaos.servers.listening import listening
from gateway.stack.ports import HOST
from gateway.stack.valkey import Valkey


class Address:
    """Forwards each connection to the server that was the target when the connection was made."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.made = 0
        """The number of connections."""
        self.denied = 0
        """The number of commands that `deny` has answered."""
        self._port = port
        self._denial = b""
        self._era = 0

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Valkey) -> AsyncIterator[Self]:
        """An address that leads to `server` first."""
        address = cls(server.port)
        async with listening(address._serve) as url:
            address.url = f"{url.replace('http:', 'redis:')}/0"
            yield address

    def lead_to(self, server: Valkey) -> None:
        """Forward new connections to this server from now on."""
        self._port = server.port

    def deny(self, reply: str) -> None:
        """Answer every command on the connections that are open now with that error."""
        self._denial = f"-{reply}\r\n".encode()
        self._era += 1
        self.denied = 0

    async def has_denied(self) -> bool:
        """Whether a command was answered like that."""
        return self.denied > 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        era, asked = self._era, hiredis.Reader()
        self.made += 1
        try:
            from_server, to_server = await asyncio.open_connection(HOST, self._port)
        except OSError:  # the server is down, which the client must see
            writer.close()
            return
        answers = asyncio.create_task(_copy(from_server, writer))
        try:
            while data := await reader.read(65536):
                asked.feed(data)
                commands = 0
                while asked.gets() is not False:
                    commands += 1
                if era == self._era:
                    to_server.write(data)
                else:
                    self.denied += commands
                    writer.write(self._denial * commands)
        except OSError:
            pass
        finally:
            answers.cancel()
            to_server.close()
            writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
    sink.close()


async def follow(replica: Valkey, master: Valkey) -> None:
    """Make one the other's replica, and wait until it is up to date."""
    async with Redis.from_url(replica.url) as redis:
        await redis.replicaof(HOST, master.port)
        while (await redis.info("replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.05)


async def promote(replica: Valkey, master: Valkey) -> None:
    """Exchange their roles, as a failover does: no connection ends."""
    async with Redis.from_url(replica.url) as redis:
        await redis.replicaof("NO", "ONE")
    async with Redis.from_url(master.url) as redis:
        await redis.replicaof(HOST, replica.port)


@contextmanager
def address_of(server: Valkey) -> Iterator[Address]:
    """An address served by its own thread, so that it works while the test blocks."""
    opened: Queue[tuple[Address, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def serve() -> None:
        ended = asyncio.Event()
        async with Address.of(server) as address:
            opened.put((address, asyncio.get_running_loop(), ended))
            await ended.wait()

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    address, loop, ended = opened.get()
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
