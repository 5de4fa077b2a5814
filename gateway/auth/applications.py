"""The ChatKitty applications whose tokens are accepted: ChatKitty serves many, a gateway a few.

ChatKitty says which application a token belongs to, not whether this gateway serves it.
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
"""Seconds after a failure before ChatKitty is asked again."""


class Applications(Protocol):
    """The applications whose tokens are accepted."""

    async def ids(self) -> Collection[int] | None:
        """Their ids; None means any. Raises UpstreamError if they cannot be found out now."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The applications that the settings name; None means any."""

    listed: Collection[int] | None

    async def ids(self) -> Collection[int] | None:
        """The ids of the settings."""
        return self.listed


@dataclass(frozen=True, slots=True)
class _Found:
    authorization: str = field(repr=False)
    application_id: int


class OwnApplication:
    """The application of the gateway's own credentials. Asks ChatKitty once for each own token."""

    def __init__(self, chatkitty: ChatKitty, own_token: OwnToken) -> None:
        self._chatkitty = chatkitty
        self._own_token = own_token
        self._found: _Found | None = None
        self._not_before = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def ids(self) -> Collection[int]:
        """The one id.

        If the token cannot be renewed, or ChatKitty does not answer, the earlier id is used. Raises
        UpstreamError if there is none, immediately if ChatKitty was asked within the last second.
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

    Any only if nothing is hosted: then ChatKitty checks each upload's own token.
    """
    if settings.auth_applications:
        return Listed(settings.auth_applications)
    return OwnApplication(chatkitty, own_token) if own_token is not None else Listed(None)
