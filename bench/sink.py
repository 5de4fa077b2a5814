"""An upstream that takes everything and answers with a file message; as cheap as Python can be."""

import asyncio
import sys

ANSWER = (
    b'{"id":1,"type":"SYSTEM_FILE","channelId":702,"file":{"type":"HOSTED","url":"http://x/f",'
    b'"name":"f.bin","contentType":"application/octet-stream","size":1},"nestedLevel":0,'
    b'"properties":{},"createdTime":"2026-01-01T00:00:00Z"}'
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)
) + ANSWER


class Sink(asyncio.Protocol):
    """Reads requests with a Content-Length one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        while data:
            if self._missing:
                taken = min(self._missing, len(data))
                self._missing -= taken
                data = data[taken:]
            else:
                head, end, data = (self._head + data).partition(b"\r\n\r\n")
                if not end:
                    self._head = head
                    return
                self._head = b""
                self._missing = _content_length(head)
            if not self._missing:
                self._transport.write(RESPONSE)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
