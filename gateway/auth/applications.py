"""Whose ChatKitty tokens are let in: ChatKitty serves many applications, and a gateway one or few.

That ChatKitty knows a token says whose it is, not that this gateway is there for it.
"""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Protocol

from gateway.errors import UpstreamError
from gateway.settings import Settings
from gateway.upstream.client import ChatKitty
from gateway.upstream.token import OwnToken

_PAUSE: Final = 1.0
"""Seconds after a failure in which it is not tried again."""


class Applications(Protocol):
    """The applications whose tokens are let in."""

    async def ids(self) -> Collection[int] | None:
        """Their ids; None for any. Raises UpstreamError if they cannot be found out now."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The applications that the settings name; None for any."""

    listed: Collection[int] | None

    async def ids(self) -> Collection[int] | None:
        """The ids as they are set."""
        return self.listed


@dataclass(frozen=True, slots=True)
class _Found:
    authorization: str = field(repr=False)
    application_id: int


class OwnApplication:
    """The application of the gateway's own client credentials: ChatKitty is asked once a token."""

    def __init__(self, chatkitty: ChatKitty, own_token: OwnToken) -> None:
        self._chatkitty = chatkitty
        self._own_token = own_token
        self._found: _Found | None = None
        self._not_before = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def ids(self) -> Collection[int]:
        """The one id.

        What was found before stands while the token cannot be renewed or asked about. Raises
        UpstreamError if nothing was found before, at once if it was tried within the last second.
        """
        async with self._one_at_a_time:
            if time.monotonic() >= self._not_before:
                try:
                    self._found = await self._find()
                except UpstreamError:
                    self._not_before = time.monotonic() + _PAUSE
                    if self._found is None:
                        raise
            if self._found is None:
                raise UpstreamError("the gateway's own application could not be determined")
            return (self._found.application_id,)

    async def _find(self) -> _Found:
        authorization = await self._own_token.authorization()
        if self._found is not None and self._found.authorization == authorization:
            return self._found
        if (identity := await self._chatkitty.whoami(self._own_token)) is None:
            raise UpstreamError("ChatKitty does not accept the gateway's own token")
        return _Found(authorization, identity.application_id)


def let_in(settings: Settings, chatkitty: ChatKitty, own_token: OwnToken | None) -> Applications:
    """The applications that are listed, else the gateway's own, else any.

    Any only where nothing is hosted: then ChatKitty judges each upload by the caller's own token.
    """
    if settings.auth_applications:
        return Listed(settings.auth_applications)
    return OwnApplication(chatkitty, own_token) if own_token is not None else Listed(None)
