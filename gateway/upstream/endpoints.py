"""The ChatKitty endpoints that take a file, recognised by their path. Pure.

Source: ChatKitty OpenAPI 2.41.9; the unversioned paths are those of the npm SDK 2.106.8.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Generation(Enum):
    """A generation of the API: the beginning of its paths, and the spelling of its members."""

    V1 = "v1"
    """Paths below `/v1`, members in camelCase."""

    CURRENT = "current"
    """Unversioned paths, members in snake_case."""

    @property
    def prefix(self) -> str:
        """The beginning of its paths."""
        return "/v1" if self is Generation.V1 else ""

    @property
    def accept(self) -> str:
        """The `Accept` header by which its clients select it."""
        return (
            "application/json"
            if self is Generation.V1
            else "application/vnd.chatkitty+json,*/*;q=0.8"
        )


class EndpointKind(Enum):
    """What a file becomes that is sent to an endpoint."""

    CHANNEL_MESSAGE = "channel-message"
    THREAD_MESSAGE = "thread-message"
    DISPLAY_PICTURE = "display-picture"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that takes a file.

    `path` has no slash at its end; `resource_id` is the channel's, thread's or user's id, None for
    an import that names none.
    """

    kind: EndpointKind
    generation: Generation
    path: str
    resource_id: int | None

    @property
    def is_dual(self) -> bool:
        """Whether it takes a JSON reference to an external file as well as a multipart body."""
        return self.kind is not EndpointKind.IMPORT

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods by which ChatKitty accepts it."""
        return ("GET", "POST") if self.kind in _MESSAGES else ("POST",)

    @property
    def is_idempotent(self) -> bool:
        """Whether sending the same reference twice has the same effect as sending it once."""
        return self.kind is EndpointKind.DISPLAY_PICTURE


_MESSAGES: Final = frozenset({EndpointKind.CHANNEL_MESSAGE, EndpointKind.THREAD_MESSAGE})
_KINDS: Final = {
    "channels/#/messages": EndpointKind.CHANNEL_MESSAGE,
    "threads/#/messages": EndpointKind.THREAD_MESSAGE,
    "users/#/display-picture": EndpointKind.DISPLAY_PICTURE,
    "imports/users": EndpointKind.IMPORT,
    "imports/channels": EndpointKind.IMPORT,
    "imports/channels/#/members": EndpointKind.IMPORT,
    "imports/messages": EndpointKind.IMPORT,
}
_PATH: Final = re.compile(r"(?P<version>/v1)?(?:/applications/[0-9]{1,19})?/(?P<shape>[a-z0-9/-]+)")
_ID: Final = re.compile(r"(?<=/)[0-9]{1,19}(?=/)")
_INT64_MAX: Final = 2**63 - 1


def recognise(path: str) -> Endpoint | None:
    """The endpoint that `path` (without a query, relative to the API's base) names, if any.

    A slash at its end makes no difference, as in Spring before version 6.
    """
    path = path.removesuffix("/")
    if (match := _PATH.fullmatch(path)) is None:
        return None
    shape = match["shape"]
    number = _ID.search(shape)
    resource_id = int(number[0]) if number else None
    kind = _KINDS.get(_ID.sub("#", shape))
    if kind is None or (resource_id or 0) > _INT64_MAX:
        return None
    return Endpoint(kind, generation_of(path), path, resource_id)


def generation_of(path: str) -> Generation:
    """The generation that a path of the API belongs to."""
    return Generation.V1 if path.startswith("/v1/") else Generation.CURRENT
