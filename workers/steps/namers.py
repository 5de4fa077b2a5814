"""Searches for what else names a hosted file: messages and display pictures of its application.

ChatKitty knows our files only by their URLs, in any spelling. So this searches all pictures, and
the messages since the upload.
"""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from gateway.backends import Backends
from gateway.records.removals import uploads_in
from gateway.uploads.record import Upload
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Endpoint, EndpointKind, Generation, generation_of, recognise
from gateway.upstream.paths import api_path
from gateway.upstream.reconcile import file_url, find_naming
from gateway.upstream.users import all_users, picture_of


@dataclass(frozen=True, slots=True)
class Search:
    """The search for anything that names an upload's file, other than its own message or picture.

    `own_picture`: whether its own user's picture counts as well.
    """

    upload: Upload
    backends: Backends
    credentials: Credentials
    own_picture: bool

    async def find(self) -> str | None:
        """A description of what names the file, or None. Raises UpstreamError, TooMany."""
        user_id = picture_user(self.upload, self.backends)
        return await self._find_message(user_id) or await self._find_user(user_id)

    async def _find_message(self, user_id: int | None) -> str | None:
        naming = find_naming(
            self.backends.chatkitty,
            self._generation,
            lambda message: self._is_in(message, user_id),
            self.upload.history[0].at,
            self.credentials,
        )
        async with aclosing(naming) as messages:
            async for message in messages:
                if message.get("id") != self.upload.message_id:
                    return f"the message {message.get('id')} names it"
        return None

    async def _find_user(self, user_id: int | None) -> str | None:
        """Search all users' pictures, but only for a file that was uploaded as a picture."""
        if user_id is None:
            return None
        listing = all_users(self.backends.chatkitty, self._generation, self.credentials)
        async with aclosing(listing) as users:
            async for user in users:
                if self._is_shown_by(user, user_id):
                    return f"the user {user.get('id')} shows it"
        return None

    def _is_in(self, message: Mapping[str, object], user_id: int | None) -> bool:
        return self._is_its(file_url(message)) or self._is_shown_by(message.get("user"), user_id)

    def _is_shown_by(self, user: object, user_id: int | None) -> bool:
        if not isinstance(user, Mapping):
            return False
        spared = self.own_picture and user_id is not None and user.get("id") == user_id
        return not spared and self._is_its(picture_of(user))

    def _is_its(self, url: object) -> bool:
        return self.upload.id in uploads_in(url, self.backends.ring)

    @property
    def _generation(self) -> Generation:
        base = str(self.backends.settings.upstream_url)
        return generation_of(api_path(self.upload.target.path, base))


def picture_user(upload: Upload, backends: Backends) -> int | None:
    """The id of the user whose display picture the file was sent as; None for any other file."""
    endpoint: Endpoint | None = recognise(
        api_path(upload.target.path, str(backends.settings.upstream_url))
    )
    if endpoint is None or endpoint.kind is not EndpointKind.DISPLAY_PICTURE:
        return None
    return endpoint.resource_id
