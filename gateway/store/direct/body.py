"""A request's body that is sent from its buffer, without a copy of each piece."""

from io import BytesIO
from typing import Final

from aiohttp import BytesIOPayload
from aiohttp.abc import AbstractStreamWriter

_PIECE: Final = 256 * 1024
"""Bytes that are sent at once: about what a socket's buffer accepts."""


class Body(BytesIOPayload):
    """The whole content of a buffer; it must not change while it is sent.

    It may be sent more than once. The buffer's position is how far it has been sent.
    """

    def __init__(self, buffer: BytesIO) -> None:
        buffer.seek(0)  # else aiohttp would announce only what is left
        super().__init__(buffer)
        self._buffer = buffer

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Send the first `content_length` bytes, or all of them."""
        with self._buffer.getbuffer()[:content_length] as view:
            for start in range(0, len(view), _PIECE):
                piece = view[start : start + _PIECE]
                self._buffer.seek(start + len(piece))
                await writer.write(piece)
