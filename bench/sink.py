"""An upstream that accepts everything and answers with a file message, as cheaply as Python can.

A GET of `/v1/bytes/{size}` is answered with that many bytes, and the handshake of a WebSocket with
the answer to the key in RFC 6455; nothing is ever sent by it.
"""

import asyncio
import sys
from functools import lru_cache

ANSWER = (
    b'{"id":1,"type":"SYSTEM_FILE","channelId":702,"file":{"type":"HOSTED","url":"http://x/f",'
    b'"name":"f.bin","contentType":"application/octet-stream","size":1},"nestedLevel":0,'
    b'"properties":{},"createdTime":"2026-01-01T00:00:00Z"}'
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)
) + ANSWER

_SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
_DOWNLOAD = b"GET /v1/bytes/"
_BUFFER = memoryview(bytearray(1024 * 1024))


class Sink(asyncio.BufferedProtocol):
    """Reads one request after the other, by length or in chunks; drops their bodies."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._missing = 0
        self._chunked = False
        self._tail = b""
        self._response = RESPONSE

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        if self._missing >= nbytes:  # only bytes of the body
            self._missing -= nbytes
            self._end_if_done()
        elif self._chunked:
            self._read_chunks(bytes(_BUFFER[max(0, nbytes - 5) : nbytes]))
        else:
            self._read(bytes(_BUFFER[:nbytes]))

    def _read(self, data: bytes) -> None:
        rest = data[self._missing :]
        if self._missing:
            self._missing = 0
            self._end_if_done()
        head, end, body = (self._head + rest).partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return
        self._head = b""
        self._response = _response_to(head)
        self._chunked = b"transfer-encoding: chunked" in head.lower()
        if self._chunked:
            self._read_chunks(body)
            return
        self._missing = max(0, _content_length(head) - len(body))
        self._end_if_done()

    def _read_chunks(self, data: bytes) -> None:
        """Read to the last chunk; no client here sends its next request together with it."""
        self._tail = (self._tail + data)[-5:]
        if self._tail == b"0\r\n\r\n":
            self._chunked = False
            self._tail = b""
            self._end_if_done()

    def _end_if_done(self) -> None:
        if not self._missing:
            self._transport.write(self._response)


@lru_cache
def _download(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nContent-Length: %d\r\n\r\n" % size + bytes(
        size
    )


def _response_to(head: bytes) -> bytes:
    if b"\r\nupgrade: websocket" in head.lower():
        return _SWITCHED
    if not head.startswith(_DOWNLOAD):
        return RESPONSE
    return _download(int(head[len(_DOWNLOAD) :].partition(b" ")[0]))


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
