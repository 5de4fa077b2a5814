"""The token of a request to ChatKitty: the interface, and the caller's own."""

from dataclasses import dataclass, field
from typing import Protocol


class Credentials(Protocol):
    """Gives the `Authorization` header of a request."""

    async def authorization(self) -> str:
        """The header's value. Raises UpstreamError if none is available."""

    async def renewed(self, refused: str) -> str | None:
        """The value to try once more with after a 401 to `refused`, None if there is none.

        Raises UpstreamError.
        """


@dataclass(frozen=True, slots=True)
class CallersOwn:
    """The `Authorization` header that the client sent; the gateway cannot renew it."""

    value: str = field(repr=False)

    async def authorization(self) -> str:
        """The header's value."""
        return self.value

    async def renewed(self, refused: str) -> None:  # noqa: ARG002 - the border's signature
        """Nothing: only the client can get another token."""
        return
